import type { RateLedger } from '../ledger.ts';
import { type RateGrant, type RateStore, StoreSilent } from '../store.ts';
import { unavailable } from '../store-errors.ts';
import type { RedisReply, ScriptArgument } from './scripts.ts';

/** What the counters need of the connection: `RedisConnection`, `Scripts` and `SilenceGuard` are such. */
export interface CounterParts {
  readonly connection: { key(name: string): string; readonly isCluster: boolean; lane(key: string): string };
  readonly scripts: {
    run(name: string, keys: readonly string[], args: readonly ScriptArgument[]): Promise<RedisReply>;
  };
  readonly guard: {
    readonly silent: boolean;
    decide<T>(ask: () => Promise<T>, late?: (answer: T) => void, lane?: string): Promise<T | 'silent'>;
  };
}

/** Buckets that one script looks at, at most: it holds up others for half a millisecond. */
const MOST_AT_ONCE = 64;
/** Numbers of a bucket in the script's arguments, and in its reply. */
const REPLY_SIZE = 3;

interface Question {
  readonly key: string;
  readonly args: readonly [rate: number, burst: number, want: number, owed: number];
  readonly answer: (grant: RateGrant) => void;
  readonly fail: (error: unknown) => void;
  readonly late: ((grant: RateGrant) => void) | undefined;
}

/**
 * The GCRA buckets of a fleet: in Redis, by its clock. What is asked in one turn is one script's work: a bucket among many
 * costs a fifth of what it costs by itself, here and there.
 */
export class RedisRates implements RateStore, RateLedger {
  readonly remote = true;
  readonly #parts: CounterParts;
  #asked: Question[] = [];

  constructor(parts: CounterParts) {
    this.#parts = parts;
  }

  get silent(): boolean {
    return this.#parts.guard.silent;
  }

  take(
    bucket: string,
    rate: number,
    burst: number,
    want: number,
    owed = 0,
    late?: (grant: RateGrant) => void,
  ): Promise<RateGrant> {
    const { promise, resolve, reject } = Promise.withResolvers<RateGrant>();
    const key = this.#parts.connection.key(bucketKey(bucket));
    this.#asked.push({ key, args: [rate, burst, want, owed], answer: resolve, fail: reject, late });
    // Before anything else is done: whoever puts off his questions to the end of the turn asks them all at once.
    if (this.#asked.length === 1) queueMicrotask(this.#ask);
    return promise;
  }

  readonly #ask = (): void => {
    const asked = this.#asked;
    this.#asked = [];
    const size = this.#parts.connection.isCluster ? 1 : MOST_AT_ONCE;
    for (let i = 0; i < asked.length; i += size) void this.#askSome(asked.slice(i, i + size));
  };

  async #askSome(questions: readonly Question[]): Promise<void> {
    const { connection, scripts, guard } = this.#parts;
    const keys = questions.map(({ key }) => key);
    const args = questions.flatMap(({ args }) => args);
    try {
      const reply = await guard.decide(
        () => scripts.run('take-rates', keys, args),
        (reply) => grantsOf(reply, questions.length).forEach((grant, i) => void questions[i]!.late?.(grant)),
        connection.lane(keys[0] ?? ''),
      );
      if (reply === 'silent') throw new StoreSilent();
      grantsOf(reply, questions.length).forEach((grant, i) => void questions[i]!.answer(grant));
    } catch (error) {
      for (const { fail } of questions) fail(error);
    }
  }

  /** Waits as long as the connection does: no decision hangs on it. */
  async peek(bucket: string, rate: number, burst: number): Promise<{ left: number; retryAfterMs: number }> {
    const { connection, scripts } = this.#parts;
    const keys = [connection.key(bucketKey(bucket))];
    const reply = await scripts.run('take-rates', keys, [rate, burst, 0, 0]).catch(unavailable);
    const [, waitMicros, left] = numbersOf(reply, 3);
    return { left: left!, retryAfterMs: waitMicros! / 1000 };
  }
}

function grantsOf(reply: RedisReply, questions: number): RateGrant[] {
  const numbers = numbersOf(reply, questions * REPLY_SIZE);
  return Array.from({ length: questions }, (_, i) => {
    const at = i * REPLY_SIZE;
    return { granted: numbers[at]!, retryAfterMs: numbers[at + 1]! / 1000, left: numbers[at + 2]! };
  });
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
