import type { QuotaCounter, QuotaLedger, QuotaStanding } from '../ledger.ts';
import { type QuotaGrant, type QuotaLeaseRequest, type QuotaStore, StoreSilent } from '../store.ts';
import { unavailable } from '../store-errors.ts';
import { type CounterParts, numbersOf } from './rates.ts';
import type { RedisTime } from './redis-time.ts';
import type { RedisReply } from './scripts.ts';

/** A gateway that asked for nothing for so long no longer owns what it leased: that counts as used. */
const LEASE_LIFE_MS = 3600_000;
/** Counters of ended periods stay this long: for leases that come back late, and for whoever looks at yesterday. */
const KEEP_MS = 7 * 24 * 3600_000;

type Counter = Pick<QuotaLeaseRequest, 'tenantId' | 'metric' | 'periodStart' | 'held'>;

export interface RedisQuotasParts extends CounterParts {
  /** This gateway since its start: one that starts again is another owner. */
  readonly owner: string;
  readonly time: RedisTime;
  /** Told when units that came too late could not be given back: they stay counted as used. */
  readonly onError: (error: unknown) => void;
}

/** The quota counters of a fleet, as durable as Redis is told to be (append-only file). */
export class RedisQuotas implements QuotaStore, QuotaLedger {
  readonly remote = true;
  readonly #parts: RedisQuotasParts;

  constructor(parts: RedisQuotasParts) {
    this.#parts = parts;
  }

  get silent(): boolean {
    return this.#parts.guard.silent;
  }

  async lease(request: QuotaLeaseRequest): Promise<QuotaGrant> {
    const { guard, time } = this.#parts;
    const askedAt = time.monotonic();
    const reply = await guard.decide(
      () => this.#lease(request),
      (late) => this.#returnLate(request, late),
      this.#parts.connection.lane(this.#key(request)),
    );
    if (reply === 'silent') throw new StoreSilent();
    const [granted, left, now, adjusted] = numbersOf(reply, 4);
    time.observe(now!, askedAt);
    return { granted: Math.max(0, granted!), left: left!, adjusted: adjusted!, otherPeriod: granted! < 0 };
  }

  /** Waits as long as the connection does: no decision hangs on it. */
  async giveBack(counter: Counter, units: number): Promise<void> {
    const { held = -1 } = counter;
    await this.#run('give-back-quota', counter, [this.#parts.owner, Math.floor(units), held]);
  }

  async settle(counter: Counter & { readonly periodEnd: number }, units: number, settlement: number) {
    const args = [this.#parts.owner, settlement, units, counter.periodEnd, LEASE_LIFE_MS, KEEP_MS];
    const [total, adjusted] = numbersOf(await this.#run('settle-quota', counter, args), 2);
    return { total: total!, adjusted: adjusted! };
  }

  async used(counter: Counter): Promise<number> {
    const { used, leased } = await this.usage(counter);
    return used + leased;
  }

  /** What was used, and what gateways hold beside it: as they last said, so a part of `leased` may be used by now. */
  async usage(counter: Counter): Promise<{ readonly used: number; readonly leased: number }> {
    const [total, leased] = await this.#read(counter);
    return { used: total! - leased!, leased: leased! };
  }

  async standing(counter: Counter): Promise<QuotaStanding> {
    const [total, leased, adjusted, own] = await this.#read(counter).catch(unavailable);
    return { total: total!, leased: Math.max(0, leased! - own!), adjusted: adjusted! };
  }

  async #read(counter: Counter): Promise<readonly number[]> {
    return numbersOf(await this.#run('read-quota', counter, [this.#parts.owner]), 4);
  }

  async adjust(counter: QuotaCounter, units: number, key: string): Promise<boolean> {
    const name = this.#key(counter);
    const keys = [name, `${name}:adjustments`];
    const args = [units, key, counter.periodEnd, KEEP_MS];
    return (await this.#parts.scripts.run('adjust-quota', keys, args).catch(unavailable)) === 1;
  }

  #lease(request: QuotaLeaseRequest): Promise<RedisReply> {
    const { limit, want, least, held = 0, periodStart, periodEnd } = request;
    const args = [this.#parts.owner, limit, want, least, held, periodStart, periodEnd, LEASE_LIFE_MS, KEEP_MS];
    return this.#run('lease-quota', request, args);
  }

  #returnLate(counter: Counter, reply: RedisReply): void {
    const [granted] = numbersOf(reply, 4);
    if (granted! <= 0) return;
    const { tenantId, metric, periodStart } = counter;
    this.giveBack({ tenantId, metric, periodStart }, granted!).catch(this.#parts.onError);
  }

  #run(script: string, counter: Counter, args: readonly (string | number)[]) {
    return this.#parts.scripts.run(script, [this.#key(counter)], args);
  }

  #key({ tenantId, metric, periodStart }: Counter): string {
    return this.#parts.connection.key(`{t:${tenantId}}:quota:${metric}:${periodStart}`);
  }
}
