import type { Holdings } from './holdings.ts';

const MIB = 1024 * 1024;

/**
 * What may be more in the last quarter of a soak than in the second, when caches are full and the code is compiled. The heap
 * after a collection moves by tenths of a MiB: with 100,000 calls between, 4 MiB are 40 octets a call.
 */
const MAX_HEAP = 4 * MIB;
/** Resident memory also has what malloc cut into pieces, and pages of the old generation that are kept for its next objects. */
const MAX_RESIDENT = 16 * MIB;
/** The same with V8 squeezed: what is left are pieces. */
const MAX_SQUEEZED = 8 * MIB;
/** Two semi-spaces of the largest size that V8 chooses for itself on a 64-bit machine, and some pages. */
const MAX_YOUNG = 2 * 64 * MIB + 4 * MIB;

/**
 * What of memory grew over a soak, a sentence each; none when nothing did. A quarter is judged by its median: a single sample
 * may come in the middle of something.
 *
 * Resident memory is judged without the young generation, which is held against its own bound: V8 lets it grow to that by
 * how many objects happen to be alive in a collection, in steps of many MiB, at any time of the hour.
 * @param rounds what was held after each round: at least eight
 */
export function growthOf(rounds: readonly Holdings[]): string[] {
  const quarter = Math.floor(rounds.length / 4);
  const settled = rounds.slice(quarter, 2 * quarter);
  const last = rounds.slice(-quarter);
  const complaints: string[] = [];
  const compare = (what: string, of: (holdings: Holdings) => number, limit: number): void => {
    const before = median(settled.map(of));
    const after = median(last.map(of));
    if (after - before > limit) complaints.push(`${what} grew from ${mib(before)} to ${mib(after)} MiB`);
  };
  compare('what is used of the heap', ({ heapUsed }) => heapUsed, MAX_HEAP);
  compare('external memory', ({ external }) => external, MAX_HEAP);
  compare('resident memory without the young generation', ({ collected, young }) => collected - young, MAX_RESIDENT);
  const young = Math.max(...rounds.map(({ young }) => young));
  if (young > MAX_YOUNG) complaints.push(`the young generation takes ${mib(young)} MiB`);
  const squeezed = rounds.flatMap(({ squeezed }) => squeezed ?? []);
  const [first = 0] = squeezed;
  const end = squeezed.at(-1) ?? 0;
  if (end - first > MAX_SQUEEZED) {
    complaints.push(`resident memory after V8 gave back what it can grew from ${mib(first)} to ${mib(end)} MiB`);
  }
  return complaints;
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function mib(octets: number): string {
  return (octets / MIB).toFixed(1);
}
