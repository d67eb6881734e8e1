import { once } from 'node:events';
import type { Service } from '../children.ts';
import { threadMicros } from '../cpu.ts';
import type { LoadJob, LoadReport } from '../load.ts';
import { median } from '../table.ts';

/** What a slice of the load is measured beside. */
export interface Condition {
  readonly name: string;
  readonly begin?: () => Promise<unknown>;
  /** Right before the slice counts. */
  readonly settled?: () => Promise<unknown>;
  readonly end?: () => Promise<unknown>;
}

/** What is compared: the same load under several conditions, in slices that take turns. */
export interface Comparison {
  readonly gateway: Service;
  readonly load: Service;
  readonly job: LoadJob;
  /** Requests of each slice before those that count: whoever has come has settled then, and what was made for them has its place in memory. */
  readonly settling: number;
  /** Of each condition. */
  readonly slices: number;
  readonly conditions: readonly Condition[];
  readonly say: (line: string) => void;
}

/** What came of one condition: medians over its slices. */
export interface Measured {
  readonly name: string;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** The gateway's, microseconds for each call. */
  readonly cpu: number;
  readonly p99s: readonly number[];
  readonly failed: number;
}

interface Slice extends LoadReport {
  readonly cpuMicros: number;
}

/** Slices of each condition that count for nothing: code is compiled, and caches fill. */
const WARM_UP = 1;

/** Each round has a slice of each condition, and begins with another one. */
export async function compareSlices(comparison: Comparison): Promise<Measured[]> {
  const { conditions, slices, say, job, settling } = comparison;
  const measured = conditions.map((): Slice[] => []);
  for (let round = -WARM_UP; round < slices; round += 1) {
    for (let turn = 0; turn < conditions.length; turn += 1) {
      const index = (turn + round + WARM_UP) % conditions.length;
      const { begin, settled, end } = conditions[index]!;
      await begin?.();
      await runSlice({ ...comparison, job: { ...job, requests: settling } });
      await settled?.();
      const slice = await runSlice(comparison);
      await end?.();
      if (round >= 0) measured[index]!.push(slice);
    }
    if (round < 0) continue;
    const told = conditions.map(({ name }, index) => `${measured[index]!.at(-1)!.p99Ms.toFixed(2)} ${name}`);
    say(`${round + 1}/${slices}: p99 ms ${told.join(', ')}`);
  }
  return conditions.map(({ name }, index) => {
    const own = measured[index]!;
    return {
      name,
      p50: median(own.map(({ p50Ms }) => p50Ms)),
      p99: median(own.map(({ p99Ms }) => p99Ms)),
      cpu: median(own.map(({ cpuMicros }) => cpuMicros)),
      p99s: own.map(({ p99Ms }) => p99Ms),
      failed: own.reduce((sum, { failed }) => sum + failed, 0),
    };
  });
}

/** Of the p99s, one condition against another: the median of those of neighbours, for what else the machine does comes and goes. */
export function ratioOf(one: Measured, other: Measured): number {
  return median(one.p99s.map((p99, slice) => p99 / other.p99s[slice]!));
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
