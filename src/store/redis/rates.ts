import { type RateGrant, type RateStore, StoreSilent } from '../store.ts';
import type { RedisReply, ScriptArgument } from './scripts.ts';

/** What the counters need of the connection: `RedisConnection`, `Scripts` and `SilenceGuard` are such. */
export interface CounterParts {
  readonly connection: { key(name: string): string };
  readonly scripts: {
    run(name: string, keys: readonly string[], args: readonly ScriptArgument[]): Promise<RedisReply>;
  };
  readonly guard: {
    readonly silent: boolean;
    decide<T>(ask: () => Promise<T>, late?: (answer: T) => void): Promise<T | 'silent'>;
  };
}

/** The GCRA buckets of a fleet: in Redis, by its clock, one script for each question. */
export class RedisRates implements RateStore {
  readonly #parts: CounterParts;

  constructor(parts: CounterParts) {
    this.#parts = parts;
  }

  get silent(): boolean {
    return this.#parts.guard.silent;
  }

  /** An answer that comes too late is dropped, and so are the units: the limit holds, a few calls less are admitted. */
  async take(bucket: string, rate: number, burst: number, want: number, owed = 0): Promise<RateGrant> {
    const { connection, scripts, guard } = this.#parts;
    const key = connection.key(bucketKey(bucket));
    const reply = await guard.decide(() => scripts.run('take-rate', [key], [rate, burst, want, owed]));
    if (reply === 'silent') throw new StoreSilent();
    const [granted, waitMicros, left] = numbersOf(reply, 3);
    return { granted: granted!, retryAfterMs: waitMicros! / 1000, left: left! };
  }
}

/** All of a tenant lies in one slot of a Cluster. */
function bucketKey(bucket: string): string {
  const slash = bucket.indexOf('/');
  return `{t:${bucket.slice(0, slash)}}:rate:${bucket.slice(slash + 1)}`;
}

/** @throws when a reply is not so many numbers: the script and this file do not fit */
export function numbersOf(reply: RedisReply, count: number): readonly number[] {
  const numbers = typeof reply === 'object' && reply !== null ? reply.map(Number) : [];
  if (numbers.length !== count || numbers.some(Number.isNaN)) {
    throw new TypeError(`${count} numbers were expected, not ${JSON.stringify(reply)}`);
  }
  return numbers;
}
