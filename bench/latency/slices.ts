import { once } from 'node:events';
import type { Service } from '../children.ts';
import { threadMicros } from '../cpu.ts';
import type { LoadJob, LoadReport } from '../load.ts';
import { median } from '../table.ts';

/** What a slice of the load is measured beside. */
export interface Condition {
  readonly name: string;
  readonly gateway: Service;
  readonly job: LoadJob;
  readonly begin?: () => Promise<unknown>;
  readonly end?: () => Promise<unknown>;
}

/** What is compared: the same load under several conditions, in slices that take turns. */
export interface Comparison {
  readonly load: Service;
  /** Requests of each slice before those that count: whoever has come has settled then, and what was made for them has its place in memory. */
  readonly settling: number;
  /** Of each condition. */
  readonly slices: number;
  readonly conditions: readonly Condition[];
  readonly say: (line: string) => void;
}

/** What came of one condition. */
export interface Measured {
  readonly name: string;
  readonly slices: readonly Slice[];
}

interface Slice extends LoadReport {
  /** The gateway's, microseconds for each call. */
  readonly cpu: number;
}

/** Slices of each condition that count for nothing: code is compiled, and caches fill. */
const WARM_UP = 1;

/** Each round has a slice of each condition, and begins with another one. */
export async function compareSlices({ conditions, slices, say, settling, load }: Comparison): Promise<Measured[]> {
  const measured = conditions.map(({ name }) => ({ name, slices: [] as Slice[] }));
  for (let round = -WARM_UP; round < slices; round += 1) {
    for (let turn = 0; turn < conditions.length; turn += 1) {
      const index = (turn + round + WARM_UP) % conditions.length;
      const condition = conditions[index]!;
      await condition.begin?.();
      await ask<LoadReport>(load, { ...condition.job, requests: settling });
      const slice = await runSlice(load, condition);
      await condition.end?.();
      if (round >= 0) measured[index]!.slices.push(slice);
    }
    if (round < 0) continue;
    const told = measured.map(({ name, slices: own }) => `${own.at(-1)!.p99Ms.toFixed(2)} ${name}`);
    say(`${round + 1}/${slices}: p99 ms ${told.join(', ')}`);
  }
  return measured;
}

/** The median of its slices. */
export function medianOf({ slices }: Measured, what: 'p50Ms' | 'p99Ms' | 'cpu'): number {
  return median(slices.map((slice) => slice[what]));
}

/** Of the p99s, one condition against another: the median of those of neighbours, for what else the machine does comes and goes. */
export function ratioOf(one: Measured, other: Measured): number {
  return median(one.slices.map(({ p99Ms }, slice) => p99Ms / other.slices[slice]!.p99Ms));
}

async function runSlice(load: Service, { gateway, job }: Condition): Promise<Slice> {
  const before = threadMicros(gateway.pid);
  const report = await ask<LoadReport>(load, job);
  return { ...report, cpu: (threadMicros(gateway.pid) - before) / job.requests };
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
