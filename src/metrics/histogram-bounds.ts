import { octaveStart } from './buckets.ts';

// Histograms that are told to others have buckets of whole octaves, where counts are exact: from 256 us to 67 s, each twice the
// one before.

const FIRST_OCTAVE = 20;
const BOUNDS = 19;
const MS_PER_SECOND = 1000;

/** Seconds. Above the last is one more bucket. */
export const HISTOGRAM_BOUNDS: readonly number[] = Array.from(
  { length: BOUNDS },
  (_, index) => octaveStart(FIRST_OCTAVE + index) / MS_PER_SECOND,
);

/** Between which bounds an octave lies: the number of the first that is above it. */
export function boundOf(octave: number): number {
  return Math.min(Math.max(octave + 1 - FIRST_OCTAVE, 0), BOUNDS);
}
