// Log-linear buckets (as in HdrHistogram): each power of two of microseconds is an octave, cut into 32 of the same width. The
// middle of a bucket is within 1/64 of its lower bound, so within 1.6 % of whatever the bucket holds.

const OCTAVE_BITS = 5;
export const OCTAVE_BUCKETS = 1 << OCTAVE_BITS;
export const OCTAVES = 64;
export const BUCKETS = OCTAVES * OCTAVE_BUCKETS;
/** A bucket has so many bits: above them is room for what it is a bucket of. */
export const BUCKET_BITS = Math.log2(BUCKETS);
/** The first octave begins at 2^-12 us, a quarter of a nanosecond, and the last ends after 142 years. */
const LOWEST = -12;
const LEAST_US = 2 ** LOWEST;
const MICROSECONDS_PER_MS = 1000;

// The bits of a double are exponent and mantissa already; a logarithm costs five times as much.
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
double[0] = 1;
/** The word with sign, exponent and the mantissa's first 20 bits. */
const HIGH_WORD = words[1] === 0 ? 0 : 1;

/** The bucket of a duration; 0 for what is no duration. @param ms milliseconds */
export function bucketOf(ms: number): number {
  const us = ms * MICROSECONDS_PER_MS;
  if (!(us > LEAST_US)) return 0;
  double[0] = us;
  const high = words[HIGH_WORD]!;
  const octave = (high >>> 20) - 1023 - LOWEST;
  if (octave >= OCTAVES) return BUCKETS - 1;
  return (octave << OCTAVE_BITS) | ((high >>> (20 - OCTAVE_BITS)) & (OCTAVE_BUCKETS - 1));
}

/** The milliseconds that a bucket stands for: its middle. */
export function durationOf(bucket: number): number {
  const part = (bucket & (OCTAVE_BUCKETS - 1)) + 0.5;
  return (octaveStart(bucket >>> OCTAVE_BITS) * (OCTAVE_BUCKETS + part)) / OCTAVE_BUCKETS;
}

/** The octave of a bucket. */
export function octaveOf(bucket: number): number {
  return bucket >>> OCTAVE_BITS;
}

/** Milliseconds at which an octave begins. */
export function octaveStart(octave: number): number {
  return OCTAVE_STARTS[octave]!;
}

const OCTAVE_STARTS = Float64Array.from(
  { length: OCTAVES + 1 },
  (_, octave) => 2 ** (octave + LOWEST) / MICROSECONDS_PER_MS,
);
