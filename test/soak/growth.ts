import type { Holdings } from '../support/probed-gateway.ts';

const MIB = 1024 * 1024;

/**
 * What may be more in the last quarter of a soak than in the second, when caches are full and the code is compiled. The heap
 * after a collection moves by tenths of a MiB: with 100,000 calls between, 4 MiB are 40 octets a call.
 */
const MAX_HEAP = 4 * MIB;
/**
 * Resident memory with V8 squeezed: what is left beside the heap are code, and what malloc cut into pieces. A single sample is
 * up to 16 MiB off, with no trend over an hour.
 */
const MAX_SQUEEZED = 8 * MIB;
/** The most that was resident at any time: V8's young generation and the pages it pools come in steps of this size. */
const MAX_PEAK = 16 * MIB;
/** How often V8 is squeezed over a soak: three times a quarter. It grows anew after each, so not in every round. */
const SQUEEZES = 12;

/** Whether V8 is squeezed after a round; between, it is left to its habits. @param round from 1 */
export function isSqueezed(round: number, rounds: number): boolean {
  const due = (after: number) => Math.floor((after * SQUEEZES) / rounds);
  return due(round) > due(round - 1);
}

/**
 * What of memory grew over a soak, a sentence each; none when nothing did.
 *
 * Heap, external memory, and what is resident when V8 was made to give back all it can, are judged quarter against quarter by
 * their medians, since a single sample may come in the middle of something. Resident memory as it is goes up and down by
 * 150 MiB: V8 sizes its young generation by how many objects happen to be alive in a collection, pools the pages that it has no
 * use for, and gives them back when it likes. So of that the peaks are compared, half against half.
 * @param rounds what was held after each round: at least eight
 */
export function growthOf(rounds: readonly Holdings[]): string[] {
  const quarter = Math.floor(rounds.length / 4);
  const settled = rounds.slice(quarter, 2 * quarter);
  const last = rounds.slice(-quarter);
  const peak = (half: readonly Holdings[]) => Math.max(...half.map(({ rss }) => rss));
  const complaints: string[] = [];
  const compare = (what: string, before: number, after: number, limit: number): void => {
    if (after - before > limit) complaints.push(`${what} grew from ${mib(before)} to ${mib(after)} MiB`);
  };
  for (const [what, name, limit] of [
    ['heapUsed', 'what is used of the heap', MAX_HEAP],
    ['external', 'external memory', MAX_HEAP],
    ['squeezed', 'resident memory after V8 gave back what it can', MAX_SQUEEZED],
  ] as const) {
    const middle = (quarter: readonly Holdings[]) => median(quarter.flatMap((one) => one[what] ?? []));
    compare(name, middle(settled), middle(last), limit);
  }
  compare('the peak of resident memory', peak(rounds.slice(0, 2 * quarter)), peak(rounds.slice(2 * quarter)), MAX_PEAK);
  return complaints;
}

function median(values: number[]): number {
  if (values.length === 0) throw new RangeError('a quarter in which nothing was measured');
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function mib(octets: number): string {
  return (octets / MIB).toFixed(1);
}
