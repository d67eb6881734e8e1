import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MiddlewareChain } from '../../src/chain/chain.ts';
import { EndOfTurn } from '../../src/chain/end-of-turn.ts';
import { QuotaTracker } from '../../src/quota/quota-tracker.ts';
import { RateLimiter } from '../../src/ratelimit/rate-limiter.ts';
import { RedisQuotas } from '../../src/store/redis/quotas.ts';
import { RedisRates } from '../../src/store/redis/rates.ts';
import { RedisTime } from '../../src/store/redis/redis-time.ts';
import { fakeCall, fakeOutcome, fakePlan } from '../chain/fake-call.ts';
import { RedisFixture } from '../store/redis/counters.ts';
import { CLOCKS_CAN_BE_MOVED, type RedisServer, startRedis } from '../support/redis-server.ts';
import { LoopWatch } from './loop-watch.ts';

// Promise 5, from within: how long decisions take in the chain of a gateway, by its own clock and without the time in which
// its event loop did not come to anything, because this machine had something else to do.

/** The promise. */
const MOST_MS = 20;
const PLAN = fakePlan({
  limits: [{ name: 'calls', rate: 10_000, burst: 1_000 }],
  quotas: [{ metric: 'units', limit: 100_000, period: 'day', timeZone: 'UTC', anchor: 0 }],
});

/** The stages that ask Redis, as in a gateway. */
class Chain {
  readonly redis: RedisFixture;
  readonly #chain: MiddlewareChain;
  readonly #quota: QuotaTracker;
  readonly #loop = new LoopWatch();
  /**
   * Milliseconds that decisions took: by the clock; without what the loop was late by; and the longest time of that in which
   * Redis answered nobody.
   */
  readonly took: { ms: number; ownMs: number; silentMs: number }[] = [];
  readonly reasons = new Map<string, number>();
  readonly #waiting = new Set<Promise<void>>();
  #calls = 0;

  constructor(redis: RedisFixture) {
    this.redis = redis;
    const time = new RedisTime({ now: Date.now, monotonic: () => performance.now() });
    const turn = new EndOfTurn();
    const quotas = new RedisQuotas({ ...redis.parts, owner: 'one', time, onError: () => {} });
    this.#quota = new QuotaTracker({ quotas, now: time.now, turn });
    const limiter = new RateLimiter({ rates: new RedisRates(redis.parts), now: () => performance.now(), turn });
    this.#chain = new MiddlewareChain([limiter, this.#quota]);
  }

  /** Makes calls of some tenants that have leases, and of others that come for the first time. */
  async drive(ms: number): Promise<void> {
    for (const end = performance.now() + ms; performance.now() < end; await sleep(1)) {
      for (let i = 0; i < 5; i++) this.#call(i === 0 ? `new-${this.#calls}` : `tenant-${this.#calls % 7}`);
    }
    await Promise.all(this.#waiting);
  }

  async close(): Promise<void> {
    this.#loop.close();
    await this.#quota.drain();
    this.redis.close();
  }

  #own(begin: number, end: number): number {
    return end - begin - this.#loop.lateness(begin, end);
  }

  #silent(begin: number, end: number): number {
    const { heard } = this.redis;
    let [longest, until] = [0, end];
    for (let i = heard.length - 1; i >= 0 && until > begin; i--) {
      const at = Math.max(begin, heard[i]!);
      if (at >= until) continue;
      longest = Math.max(longest, this.#own(at, until));
      until = at;
    }
    return Math.max(longest, until > begin ? this.#own(begin, until) : 0);
  }

  #call(tenant: string): void {
    this.#calls++;
    const call = { ...fakeCall(tenant, PLAN), admittedStages: 0 };
    const begin = performance.now();
    const ended = (verdict: { reason: string } | undefined) => {
      const end = performance.now();
      this.took.push({ ms: end - begin, ownMs: this.#own(begin, end), silentMs: this.#silent(begin, end) });
      const reason = verdict?.reason ?? 'OK';
      this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
      this.#chain.settle(call, fakeOutcome());
    };
    const verdict = this.#chain.admit(call);
    if (!(verdict instanceof Promise)) {
      ended(verdict);
      return;
    }
    const waiting: Promise<void> = verdict.then(ended).finally(() => this.#waiting.delete(waiting));
    this.#waiting.add(waiting);
  }
}

let server: RedisServer;
let chain: Chain;

beforeEach(async () => {
  server = await startRedis({ durable: true, movableClock: CLOCKS_CAN_BE_MOVED });
  chain = new Chain(await RedisFixture.open(server.port, 'decisions:', 1));
});
afterEach(async () => {
  await chain?.close();
  await server?.stop();
});

const HOUR = 3600;
const CASES = [
  { what: 'frozen', begin: () => server.signal('SIGSTOP'), end: () => server.signal('SIGCONT') },
  { what: 'killed, and back from its file', begin: () => server.kill(), end: () => server.restart() },
  { what: 'killed, and back empty', begin: () => server.kill(), end: () => server.restartEmpty() },
  { what: 'an hour ahead', begin: () => server.moveClock(HOUR), end: () => server.moveClock(0), clock: true },
  { what: 'an hour behind', begin: () => server.moveClock(-HOUR), end: () => server.moveClock(0), clock: true },
];

describe('no decision waits longer than 20 ms for a silent Redis', () => {
  for (const { what, begin, end, clock } of CASES) {
    it.skipIf(clock && !CLOCKS_CAN_BE_MOVED)(`while Redis is ${what}, nor before or after`, async () => {
      await chain.drive(150);
      const done = chain.drive(900);
      await sleep(100);
      await begin();
      await sleep(400);
      await end();
      await done;
      await chain.redis.back();
      await chain.drive(150);
      const longest = (of: 'ms' | 'ownMs' | 'silentMs') => Math.max(...chain.took.map((each) => each[of]));
      console.log(
        `promise 5, Redis ${what}: ${chain.took.length} decisions, longest ${longest('ms').toFixed(1)} ms by the clock, ` +
          `${longest('ownMs').toFixed(1)} ms of them the gateway's own, ${longest('silentMs').toFixed(1)} ms without an answer of Redis; ${[...chain.reasons].map((each) => each.join(' ')).join(', ')}`,
      );
      expect(longest('silentMs')).toBeLessThanOrEqual(MOST_MS);
    });
  }
});
