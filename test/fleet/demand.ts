import { setTimeout } from 'node:timers/promises';
import { Random } from '../http2/fuzz/random.ts';
import type { Load } from './load.ts';

export interface DemandOptions {
  /** Calls per second of all generators together. */
  readonly total: number;
  readonly seconds: number;
  readonly seed: number;
  /** How often the shares change: milliseconds. */
  readonly shiftMs?: number;
}

/**
 * Offers `total` calls a second through the generators, in shares that are uneven and shift: at times one has nearly all,
 * at times one has none. Resolves when the time is over; the generators are then at rate 0.
 */
export async function runDemand(loads: readonly Load[], options: DemandOptions): Promise<void> {
  const random = new Random(options.seed);
  const until = performance.now() + options.seconds * 1000;
  for (let left = options.seconds * 1000; left > 0; left = until - performance.now()) {
    const weights = loads.map(() => weight(random));
    const sum = weights.reduce((total, each) => total + each, 0);
    for (const [index, load] of loads.entries()) {
      load.rate = sum === 0 ? options.total / loads.length : (options.total * weights[index]!) / sum;
    }
    await setTimeout(Math.min(left, options.shiftMs ?? 400));
  }
  for (const load of loads) load.rate = 0;
}

/** Nothing, or anything between 1 and 32, small ones more often. */
function weight(random: Random): number {
  return random.oneIn(4) ? 0 : 2 ** random.below(6);
}
