/**
 * One bucket of the generic cell rate algorithm (ITU-T I.371, annex A). The theoretical arrival time is kept as
 * `start + taken / rate`, a time and a whole number of units, instead of one sum: so nothing accumulates rounding errors,
 * and in any time t at most `burst + rate x t` units conform, however long the bucket has been busy.
 */
export interface GcraBucket {
  /** When the bucket was last full. Monotonic milliseconds. */
  start: number;
  /** Units taken since. */
  taken: number;
  /** Units per second, when it was last written. */
  rate: number;
}

/** A full bucket. */
export function newGcraBucket(rate: number, now: number): GcraBucket {
  return { start: now, taken: 0, rate };
}

/**
 * Takes up to `want` units that conform at `now`; the bucket is changed.
 * @param rate units per second; a rate other than before leaves what is in use as it is
 * @param now monotonic milliseconds; a clock that goes back earns nothing
 * @returns units taken, 0 when none conforms
 */
export function takeGcra(bucket: GcraBucket, rate: number, burst: number, want: number, now: number): number {
  if (rate !== bucket.rate) changeRate(bucket, rate, now);
  let earned = (Math.max(0, now - bucket.start) * rate) / 1000;
  if (earned >= bucket.taken) {
    // Full: the arrival time lies in the past, and time that nobody used earns nothing beyond the burst.
    bucket.start = Math.max(now, bucket.start);
    bucket.taken = 0;
    earned = 0;
  }
  const conforming = Math.floor(burst + earned) - bucket.taken;
  const granted = Math.min(Math.floor(want), conforming);
  if (granted <= 0) return 0;
  bucket.taken += granted;
  return granted;
}

/** Milliseconds from `now` until one unit conforms; 0 when one does. At most two microseconds late, never early. */
export function gcraRetryAfterMs(bucket: GcraBucket, burst: number, now: number): number {
  if (Math.floor(burst) < 1) return Number.POSITIVE_INFINITY;
  const wait = ((bucket.taken + 1 - burst) * 1000) / bucket.rate - (now - bucket.start);
  if (wait <= 0) return 0;
  // Half a microsecond to a whole one and a half later: the exact time could by rounding fall just short of the unit.
  return Math.ceil(wait * 1000 + 0.5) / 1000;
}

/** Units that conform at `now`, parts of one included. */
export function gcraLeft(bucket: GcraBucket, burst: number, now: number): number {
  const earned = (Math.max(0, now - bucket.start) * bucket.rate) / 1000;
  return Math.min(burst, Math.max(0, burst + earned - bucket.taken));
}

/** When the bucket is full again, monotonic milliseconds: from then on it is the same as a new one. */
export function gcraFullAt(bucket: GcraBucket): number {
  return bucket.start + (bucket.taken * 1000) / bucket.rate;
}

/** Units in use stay in use (rounded up: in doubt the limit holds); from now on they flow back at the new rate. */
function changeRate(bucket: GcraBucket, rate: number, now: number): void {
  const earned = (Math.max(0, now - bucket.start) * bucket.rate) / 1000;
  bucket.taken = Math.max(0, Math.ceil(bucket.taken - earned));
  bucket.start = Math.max(now, bucket.start);
  bucket.rate = rate;
}
