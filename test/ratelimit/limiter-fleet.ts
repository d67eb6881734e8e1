import { setTimeout as sleep } from 'node:timers/promises';
import { RateLimiter } from '../../src/ratelimit/rate-limiter.ts';
import { RedisRates } from '../../src/store/redis/rates.ts';
import type { Plan, WhenStoreSilent } from '../../src/sync/snapshot.ts';
import { fakeCall, fakePlan } from '../chain/fake-call.ts';
import { RedisFixture } from '../store/redis/counters.ts';

export const GATEWAYS = 4;
const now = () => performance.now();

/** Some gateways' limiters against one Redis. */
export class Fleet {
  readonly gateways: { readonly redis: RedisFixture; readonly limiter: RateLimiter }[] = [];
  /** When calls were admitted. */
  readonly admitted: number[] = [];
  readonly refused = new Map<string, number>();
  longestWaitMs = 0;
  readonly #waiting = new Set<Promise<void>>();

  /** @param patience see `RedisFixture.open` */
  static async open(port: number, keyPrefix: string, patience?: number): Promise<Fleet> {
    const fleet = new Fleet();
    for (let i = 0; i < GATEWAYS; i++) {
      const redis = await RedisFixture.open(port, keyPrefix, patience);
      const limiter = new RateLimiter({ rates: new RedisRates(redis.parts), now, liveGateways: () => GATEWAYS });
      fleet.gateways.push({ redis, limiter });
    }
    return fleet;
  }

  get asked(): number {
    return this.gateways.reduce((sum, { redis }) => sum + redis.asked, 0);
  }

  get refusals(): number {
    return [...this.refused.values()].reduce((sum, count) => sum + count, 0);
  }

  call(gateway: number, plan: Plan): void {
    const { limiter } = this.gateways[gateway]!;
    const call = fakeCall('demo', plan);
    const startedAt = now();
    const ended = (verdict: Awaited<ReturnType<RateLimiter['admit']>>) => {
      this.longestWaitMs = Math.max(this.longestWaitMs, now() - startedAt);
      if (verdict === undefined) {
        this.admitted.push(now());
        limiter.settle(call);
      } else this.refused.set(verdict.reason, (this.refused.get(verdict.reason) ?? 0) + 1);
    };
    const verdict = limiter.admit(call);
    if (!(verdict instanceof Promise)) {
      ended(verdict);
      return;
    }
    const waiting: Promise<void> = verdict.then(ended).finally(() => this.#waiting.delete(waiting));
    this.#waiting.add(waiting);
  }

  /** Calls at a rate that is shared out by `shares`, for some time. */
  async drive(plan: Plan, perSecond: number, ms: number, shares: (elapsed: number) => readonly number[]) {
    const start = now();
    const sent = new Array<number>(GATEWAYS).fill(0);
    for (let last = start; last < start + ms; ) {
      await sleep(1);
      const at = now();
      shares(at - start).forEach((share, gateway) => {
        sent[gateway]! += ((at - last) / 1000) * perSecond * share;
        for (; sent[gateway]! >= 1; sent[gateway]!--) this.call(gateway, plan);
      });
      last = at;
    }
    await Promise.all(this.#waiting);
    return now() - start;
  }

  close(): void {
    for (const { redis } of this.gateways) redis.close();
  }
}

/** The most that was admitted in any window, above what burst and rate allow in it and a lease's life. */
export function mostAbove(admitted: readonly number[], rate: number, burst: number): number {
  // Of a line of slope `rate` through each admission: the deepest before against the highest after.
  let lowest = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  admitted.forEach((at, i) => {
    lowest = Math.min(lowest, i - (rate * at) / 1000);
    most = Math.max(most, i + 1 - (rate * at) / 1000 - lowest);
  });
  return most - burst - rate * 0.1;
}

export function planOf(rate: number, burst: number, whenStoreSilent?: WhenStoreSilent): Plan {
  return fakePlan({ limits: [{ name: 'calls', rate, burst }], whenStoreSilent });
}
