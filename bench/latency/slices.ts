import { once } from 'node:events';
import type { Service } from '../children.ts';
import { threadMicros } from '../cpu.ts';
import type { LoadJob, LoadReport } from '../load.ts';
import { median } from '../table.ts';

/** What is compared: the same load without something and with it, in slices that take turns. */
export interface Comparison {
  readonly gateway: Service;
  readonly load: Service;
  readonly job: LoadJob;
  /** Of each kind. */
  readonly slices: number;
  /** Begins and ends what the second kind is measured with. */
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
  readonly say: (line: string) => void;
}

/** Medians over slices: without, and with. */
export type Pair = readonly [number, number];

export interface Compared {
  /** Milliseconds. */
  readonly p50: Pair;
  readonly p99: Pair;
  /** The gateway's, microseconds for each call. */
  readonly cpu: Pair;
  /** Of the p99, with against without: the median of those of neighbours, for what else the machine does comes and goes. */
  readonly ratio: number;
  readonly failed: number;
}

interface Slice extends LoadReport {
  readonly cpuMicros: number;
}

/** Slices of each kind that count for nothing: code is compiled, and caches fill. */
const WARM_UP = 2;

export async function compareSlices(comparison: Comparison): Promise<Compared> {
  const { slices, begin, end, say } = comparison;
  const without: Slice[] = [];
  const withIt: Slice[] = [];
  for (let slice = -WARM_UP; slice < slices; slice += 1) {
    const plain = await runSlice(comparison);
    await begin();
    const other = await runSlice(comparison);
    await end();
    if (slice < 0) continue;
    without.push(plain);
    withIt.push(other);
    say(`${slice + 1}/${slices}: p99 ${plain.p99Ms.toFixed(2)} ms without, ${other.p99Ms.toFixed(2)} with`);
  }
  const pair = (of: (slice: Slice) => number): Pair => [median(without.map(of)), median(withIt.map(of))];
  return {
    p50: pair(({ p50Ms }) => p50Ms),
    p99: pair(({ p99Ms }) => p99Ms),
    cpu: pair(({ cpuMicros }) => cpuMicros),
    ratio: median(withIt.map(({ p99Ms }, slice) => p99Ms / without[slice]!.p99Ms)),
    failed: [...without, ...withIt].reduce((sum, { failed }) => sum + failed, 0),
  };
}

async function runSlice({ gateway, load, job }: Comparison): Promise<Slice> {
  const before = threadMicros(gateway.pid);
  const report = await ask<LoadReport>(load, job);
  return { ...report, cpuMicros: (threadMicros(gateway.pid) - before) / job.requests };
}

/** Sends a service an order, and waits for what it tells. @throws Error when it ends instead, or tells nothing for a minute */
export async function ask<T>({ child, name, log }: Service, order: object): Promise<T> {
  const over = new AbortController();
  const ended = once(child, 'exit', over).then(() => {
    throw new Error(`${name} has ended\n${log()}`);
  });
  try {
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(60_000)]);
    const answer = once(child, 'message', { signal });
    child.send(order);
    const [told] = (await Promise.race([answer, ended])) as [T];
    return told;
  } finally {
    ended.catch(() => undefined);
    over.abort();
  }
}
