import { describe, expect, it } from 'vitest';
import { RateLimiter } from '../../src/ratelimit/rate-limiter.ts';
import { MemoryRates } from '../../src/store/embedded/rates.ts';
import type { RateGrant, RateStore } from '../../src/store/store.ts';
import { fakeCall, fakePlan } from '../chain/fake-call.ts';

const GATEWAYS = 4;
const STEP_MS = 0.5;

/** A store across a network whose time is the test's: an answer takes a way there and a way back. */
class DistantRates implements RateStore {
  asked = 0;
  readonly #store: MemoryRates;
  readonly #wait: (ms: number) => Promise<void>;

  constructor(store: MemoryRates, wait: (ms: number) => Promise<void>) {
    this.#store = store;
    this.#wait = wait;
  }

  async take(bucket: string, rate: number, burst: number, want: number): Promise<RateGrant> {
    this.asked++;
    await this.#wait(0.5);
    const grant = this.#store.take(bucket, rate, burst, want);
    await this.#wait(0.5);
    return grant;
  }
}

/** Several gateways and a store in one made-up time. */
class World {
  time = 0;
  readonly admitted: number[] = [];
  refused = 0;
  readonly #timers: { at: number; resolve: () => void }[] = [];
  readonly #stores: DistantRates[] = [];
  readonly #limiters: RateLimiter[] = [];

  constructor() {
    const store = new MemoryRates(() => this.time);
    const wait = (ms: number) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#timers.push({ at: this.time + ms, resolve });
      return promise;
    };
    for (let i = 0; i < GATEWAYS; i++) {
      const rates = new DistantRates(store, wait);
      this.#stores.push(rates);
      this.#limiters.push(new RateLimiter({ rates, now: () => this.time }));
    }
  }

  get asked(): number {
    return this.#stores.reduce((sum, { asked }) => sum + asked, 0);
  }

  /** @param demand calls per second of each gateway at a time */
  async run(ms: number, rate: number, burst: number, demand: (at: number) => readonly number[]): Promise<void> {
    const plan = fakePlan({ limits: [{ name: 'calls', rate, burst }] });
    const due = new Array<number>(GATEWAYS).fill(0);
    for (; this.time < ms; this.time += STEP_MS) {
      demand(this.time).forEach((perSecond, gateway) => {
        due[gateway]! += (perSecond * STEP_MS) / 1000;
        for (; due[gateway]! >= 1; due[gateway]!--) this.#call(this.#limiters[gateway]!, plan);
      });
      for (let i = this.#timers.length - 1; i >= 0; i--) {
        if (this.#timers[i]!.at <= this.time) this.#timers.splice(i, 1)[0]!.resolve();
      }
      // Everything that can go on without time going on does so.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #call(limiter: RateLimiter, plan: ReturnType<typeof fakePlan>): void {
    const call = fakeCall('demo', plan);
    const ended = (verdict: unknown) => {
      if (verdict === undefined) this.admitted.push(this.time);
      else this.refused++;
      if (verdict === undefined) limiter.settle(call);
    };
    const verdict = limiter.admit(call);
    if (verdict instanceof Promise) void verdict.then(ended);
    else ended(verdict);
  }

  /** The most that any window had above burst + rate x (window + 0.1 s). */
  above(rate: number, burst: number): number {
    let lowest = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    this.admitted.forEach((at, i) => {
      lowest = Math.min(lowest, i - (rate * at) / 1000);
      most = Math.max(most, i + 1 - (rate * at) / 1000 - lowest);
    });
    return most - burst - rate * 0.1;
  }
}

/** One gateway has most of the demand, another none; who that is moves on every `every` milliseconds. */
const shifting = (total: number, every: number) => (at: number) => {
  const heavy = Math.floor(at / every) % GATEWAYS;
  return Array.from(
    { length: GATEWAYS },
    (_, i) => total * (i === heavy ? 0.85 : i === (heavy + 1) % GATEWAYS ? 0 : 0.075),
  );
};

describe('leases of one limit by four gateways', () => {
  it.each([
    [1000, 100, 300],
    [1000, 500, 170],
    [200, 50, 450],
    [50, 20, 450],
    [5000, 500, 300],
  ])(
    'of %d/s and burst %d are used to 97 %% under tenfold demand that shifts, and never exceeded',
    async (rate, burst, every) => {
      const world = new World();
      await world.run(8000, rate, burst, shifting(rate * 10, every));
      const share = world.admitted.length / (burst + rate * 8);
      expect(share).toBeGreaterThan(0.97);
      expect(world.above(rate, burst)).toBeLessThanOrEqual(1e-6);
    },
  );

  it('cost less than a question for ten calls, one for fifty that are refused', async () => {
    const world = new World();
    await world.run(4000, 1000, 100, shifting(10_000, 300));
    expect(world.asked).toBeLessThan(0.1 * world.admitted.length);
    expect(world.asked).toBeLessThan(0.02 * world.refused);
  });

  it.each([1, 10, 100, 1000])(
    'refuse nobody while all of them make %d calls a second below the limit',
    async (total) => {
      const world = new World();
      await world.run(4000, total * 1.1, Math.max(10, total / 5), () =>
        new Array<number>(GATEWAYS).fill(total / GATEWAYS),
      );
      expect(world.refused).toBe(0);
      expect(world.admitted.length).toBeGreaterThanOrEqual(total * 4 - GATEWAYS - 2);
    },
  );
});
