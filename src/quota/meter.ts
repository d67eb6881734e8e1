import type { Refusal } from '../chain/call.ts';
import type { EndOfTurn } from '../chain/end-of-turn.ts';
import { quotaExhausted, storeUnavailable } from '../chain/refusal.ts';
import { type QuotaGrant, StoreSilent } from '../store/store.ts';
import type { Quota, WhenStoreSilent } from '../sync/snapshot.ts';
import { LeaseSize, mostUnits } from './lease-size.ts';
import type { Period } from './period.ts';
import { mostAlone, shareOf, UsedAlone, type UsedAloneParts } from './used-alone.ts';

/** As a limit comes near, leases shrink to this share of what this gateway has not yet leased of it. */
const REST_SHARE = 0.1;
/** A counter that had too few units is asked again after this: others may have given some back. */
const RECHECK_MS = 1000;
/** After a question that was not answered in time nothing is asked for so long. */
const UNANSWERED_MS = 30;

/** What meters share. `onError` is told when units could not be given back: they stay counted as used. */
export interface MeterParts extends UsedAloneParts {
  readonly onError: (error: unknown) => void;
  /** Gateways that were last known to live, this one included. */
  readonly liveGateways: () => number;
  /** Where a store across the network is asked. */
  readonly turn: EndOfTurn;
}

/** What is asked for: units for a call that costs so many, and waits unless it is `ahead`. */
interface Asking {
  readonly cost: number;
  readonly now: number;
  readonly ahead?: boolean;
  /** Not at once, but with others. */
  readonly soon?: boolean;
}

interface Asked {
  readonly want: number;
  readonly least: number;
  readonly now: number;
}

/** The name of a quota's counter in the store. A tenant may have a quota per day and one per month of the same metric. */
export function counterOf(quota: Pick<Quota, 'metric' | 'period'>): string {
  return `${quota.metric}/${quota.period}`;
}

/**
 * One tenant's units of one quota as this gateway sees them: a lease taken from the store's counter, and used up without
 * asking again. Times are Unix milliseconds.
 */
export class Meter {
  readonly #parts: MeterParts;
  readonly #tenantId: string;
  #quota: Quota;
  #period: Period;
  /** Units in hand: counted as used in the store, and not used yet. */
  #units = 0;
  readonly #size = new LeaseSize();
  /** Units leased in this period, given back ones included. */
  #leased = 0;
  /** The store gave less than was wished for: the end is near, leases are exact. */
  #scarce = false;
  #exhaustedUntil = 0;
  /** The number of units that the store had too few for. */
  #exhaustedFor = 0;
  #refusal: Refusal | undefined = undefined;
  #pending: Promise<void> | undefined = undefined;
  /** The store answers with promises: refill before the lease is empty. */
  #asynchronous = false;
  #closed = false;
  /** Units that calls wait for, that calls will want that wait elsewhere, and that were waited for in vain. */
  #waiting = 0;
  #expected = 0;
  #backlog = 0;
  /** Units that nobody had leased, as the store last said of this period. */
  #left: number | undefined = undefined;
  /** The same, of whatever store, and what an admin added to the limit. For metrics. */
  #told: number | undefined = undefined;
  #adjusted = 0;
  #unansweredUntil = 0;
  readonly #alone: UsedAlone;

  constructor(parts: MeterParts, tenantId: string, quota: Quota, period: Period) {
    this.#parts = parts;
    this.#tenantId = tenantId;
    this.#quota = quota;
    this.#period = period;
    this.#alone = new UsedAlone(parts, tenantId, counterOf(quota), ({ total, adjusted }, periodStart) => {
      if (periodStart === this.#period.start) this.#left = Math.max(0, this.#quota.limit + adjusted - total);
    });
  }

  /** Units in hand. */
  get units(): number {
    return this.#units;
  }

  /**
   * How far the quota is used as this gateway knows it: what others hold leased counts, and so does what an admin added to the
   * limit. For metrics.
   */
  get use(): { readonly name: string; readonly used: number; readonly limit: number } {
    const limit = Math.max(0, this.#quota.limit + this.#adjusted);
    const left = this.#told === undefined ? limit - this.#leased : this.#told;
    return { name: counterOf(this.#quota), used: Math.max(0, limit - left - this.#units), limit };
  }

  /** A lease is being asked for. */
  get pending(): Promise<void> | undefined {
    return this.#pending;
  }

  get period(): Period {
    return this.#period;
  }

  /** Somebody gave the counter units: one that had too few is asked again. */
  recheck(): void {
    this.#exhaustedUntil = 0;
  }

  /** Takes a changed limit of the same quota. What was leased under the old one goes back: it may be above the new one. */
  change(quota: Quota): void {
    const { limit } = this.#quota;
    this.#quota = quota;
    if (quota.limit === limit) return;
    this.#begin(this.#period);
  }

  /**
   * Takes `cost` units.
   * @param period the quota's period at `now`
   * @param whenSilent what holds while the store is silent
   * @returns undefined when there were enough; a refusal when there are not; a promise when the store has to be waited for:
   * try again when it is fulfilled. Throws or rejects when the store fails.
   */
  reserve(
    cost: number,
    period: Period,
    now: number,
    whenSilent: WhenStoreSilent = 'local_share',
  ): Refusal | Promise<void> | undefined {
    if (period.start !== this.#period.start) this.#begin(period);
    if (this.#units >= cost) {
      this.#units -= cost;
      if (this.#asynchronous && this.#units < this.#size.units / 4)
        this.#prefetch({ cost, now, ahead: true, soon: true });
      return undefined;
    }
    if (this.#parts.store.silent === true || isWithin(now, this.#unansweredUntil, UNANSWERED_MS)) {
      return this.reserveAlone(cost, period, whenSilent);
    }
    if (isWithin(now, this.#exhaustedUntil, RECHECK_MS) && cost - this.#units >= this.#exhaustedFor) {
      return this.#refuse();
    }
    if (this.#pending !== undefined || this.#lease({ cost, now }) !== undefined) {
      this.#parts.turn.hurry();
      this.#waiting += cost;
      return this.#pending;
    }
    if (this.#units < cost) return this.#refuse();
    this.#units -= cost;
    return undefined;
  }

  /** Told of a call that will want `cost` units when an earlier stage lets it: they are asked for at once. */
  prepare(cost: number, period: Period, now: number): void {
    if (period.start !== this.#period.start) this.#begin(period);
    if (this.#units >= mostUnits(this.#quota.limit, cost)) return;
    this.#expected += cost;
    if (this.#units < this.#expected && this.#prefetch({ cost, now, ahead: true })) this.#parts.turn.hurry();
  }

  /** What `reserve` would answer, without taking anything. Parameters as there. */
  async peek(
    cost: number,
    period: Period,
    now: number,
    whenSilent: WhenStoreSilent = 'local_share',
  ): Promise<Refusal | undefined> {
    const isCurrent = period.start === this.#period.start;
    const units = isCurrent ? this.#units : 0;
    if (units >= cost) return undefined;
    const { store } = this.#parts;
    if (store.silent === true) {
      if (whenSilent === 'closed') return storeUnavailable();
      return whenSilent === 'open' ? undefined : this.#refusalAlone(cost, period);
    }
    const isExhausted = isWithin(now, this.#exhaustedUntil, RECHECK_MS) && cost - units >= this.#exhaustedFor;
    if (isCurrent && isExhausted) return this.#refuse();
    const counter = { tenantId: this.#tenantId, metric: counterOf(this.#quota) };
    const standing = await store.standing?.({ ...counter, periodStart: period.start, periodEnd: period.end });
    if (standing === undefined) return undefined;
    const left = this.#quota.limit + standing.adjusted - standing.total;
    return left >= cost - units ? undefined : this.#refusalOf(period);
  }

  /** Takes `cost` units without the store, as the plan says; it is told of them later. */
  reserveAlone(cost: number, period: Period, whenSilent: WhenStoreSilent = 'local_share'): Refusal | undefined {
    if (whenSilent === 'closed') return storeUnavailable();
    if (period.start !== this.#period.start) this.#begin(period);
    const refusal = whenSilent === 'local_share' ? this.#refusalAlone(cost, period) : undefined;
    if (refusal === undefined) this.#alone.add(cost, period);
    return refusal;
  }

  /** What `local_share` refuses. */
  #refusalAlone(cost: number, period: Period): Refusal | undefined {
    const silent = this.#parts.store.silent === true;
    const left = period.start === this.#period.start ? this.#left : undefined;
    const state = { left, gateways: this.#parts.liveGateways(), cost, silent, forMs: this.#alone.forMs };
    if (this.#alone.fits(cost, mostAlone(this.#quota, state), period)) return undefined;
    const usedUp = silent && !this.#alone.fits(cost, shareOf(this.#quota, state), period);
    if (!usedUp) return storeUnavailable();
    return period.start === this.#period.start ? this.#refuse() : this.#refusalOf(period);
  }

  /**
   * Takes back units of a call that did not use them.
   * @param begunAt when the call began. What may have been reserved in an earlier period is no unit of this one, and of no
   * use in that one: it is dropped.
   */
  refund(cost: number, begunAt: number): void {
    if (begunAt < this.#period.start) return;
    this.#units += cost;
    this.#exhaustedUntil = 0;
    const most = this.#closed ? 0 : mostUnits(this.#quota.limit, cost);
    if (this.#units <= most || (this.#parts.store.silent === true && !this.#closed)) return;
    const surplus = this.#units - most;
    this.#units = most;
    this.#giveBack(surplus, this.#period.start);
  }

  /** Gives the lease back. What comes back later goes to the store at once. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#parts.turn.hurry();
    await this.#pending?.catch(() => {});
    if (this.#alone.any) await this.#alone.settle();
    const units = this.#units;
    this.#units = 0;
    await this.#tryGiveBack(units, this.#period.start);
  }

  #begin(period: Period): void {
    const units = this.#units;
    this.#units = 0;
    if (units > 0) this.#giveBack(units, this.#period.start);
    this.#period = period;
    this.#leased = 0;
    this.#left = undefined;
    this.#told = undefined;
    this.#adjusted = 0;
    this.#scarce = false;
    this.#exhaustedUntil = 0;
    this.#refusal = undefined;
  }

  /** @returns undefined when the store has answered at once */
  #lease(asking: Asking): Promise<void> | undefined {
    if (this.#alone.any) void this.#alone.settle();
    if (this.#parts.store.remote === true) return this.#wait(this.#leaseInTurn(asking));
    const asked = this.#wish(asking);
    const grant = this.#ask(asked);
    if (typeof grant === 'number') {
      this.#told = this.#parts.store.left;
      this.#adjusted = this.#parts.store.adjusted ?? 0;
      this.#apply(grant, asked);
      return undefined;
    }
    return this.#wait(this.#await(grant, asked));
  }

  #wait(answer: Promise<void>): Promise<void> {
    this.#asynchronous = true;
    this.#pending = answer.finally(() => {
      this.#pending = undefined;
      this.#waiting = 0;
      this.#expected = 0;
    });
    return this.#pending;
  }

  /** How much is asked for is known when all calls of this turn have been here. */
  async #leaseInTurn(asking: Asking): Promise<void> {
    const { turn } = this.#parts;
    await new Promise<void>((resolve) => (asking.soon ? turn.addSoon(resolve) : turn.add(resolve)));
    const asked = this.#wish(asking);
    await this.#await(this.#ask(asked), asked);
  }

  #ask({ want, least }: Asked): number | Promise<QuotaGrant> {
    return this.#parts.store.lease({
      tenantId: this.#tenantId,
      metric: counterOf(this.#quota),
      periodStart: this.#period.start,
      periodEnd: this.#period.end,
      limit: this.#quota.limit,
      want,
      least,
      held: this.#units,
    });
  }

  async #await(answer: number | Promise<QuotaGrant>, asked: Asked): Promise<void> {
    const [quota, period] = [this.#quota, this.#period];
    try {
      const grant = await answer;
      const { granted, left, adjusted, otherPeriod } = typeof grant === 'number' ? grantOf(grant) : grant;
      // Of a period that is over, or under a limit that has changed: not ours to use any more.
      if (period !== this.#period || quota.limit !== this.#quota.limit) this.#giveBack(granted, period.start);
      else if (!otherPeriod) {
        this.#left = left;
        this.#told = left;
        this.#adjusted = adjusted;
        this.#apply(granted, asked);
        this.#backlog = Math.max(0, this.#waiting - this.#units);
      }
    } catch (error) {
      if (!(error instanceof StoreSilent)) throw error;
      this.#unansweredUntil = this.#parts.now() + UNANSWERED_MS;
    }
  }

  /** Asks ahead of the call that will need it. @returns whether something is under way */
  #prefetch(asking: Asking): boolean {
    const { now } = asking;
    if (this.#pending !== undefined) return true;
    if (this.#scarce || this.#closed) return false;
    if (this.#parts.store.silent === true || isWithin(now, this.#unansweredUntil, UNANSWERED_MS)) return false;
    if (isWithin(now, this.#exhaustedUntil, RECHECK_MS)) return false;
    try {
      // A failure shows again, to the call that then has to wait.
      this.#lease(asking)?.catch(() => {});
    } catch {}
    return true;
  }

  #apply(granted: number, { want, least, now }: Asked): void {
    this.#units += granted;
    this.#leased += granted;
    this.#scarce = granted < want;
    if (granted > 0) {
      this.#exhaustedUntil = 0;
      return;
    }
    this.#exhaustedUntil = Math.min(now + RECHECK_MS, this.#period.end);
    this.#exhaustedFor = least;
  }

  /** How many units to ask for: by demand, within what a crash may burn, and exactly what is needed when few are left. */
  #wish({ cost, now, ahead }: Asking): Asked {
    const most = mostUnits(this.#quota.limit, cost);
    const lease = this.#size.next(now, cost, most);
    const least = ahead ? cost : Math.max(1, cost - this.#units);
    const known = this.#left ?? Number.POSITIVE_INFINITY;
    const waiting = Math.max(least, Math.min(Math.max(this.#backlog, this.#waiting - this.#units), known));
    const size = Math.max(lease, Math.min(this.#expected, most));
    this.#backlog = 0;
    this.#expected = 0;
    if (this.#scarce || this.#closed) return { want: waiting, least, now };
    const rest = Math.floor(Math.min(this.#quota.limit - this.#leased, known) * REST_SHARE);
    return { want: Math.max(waiting, Math.min(size, rest) - this.#units), least, now };
  }

  #refuse(): Refusal {
    this.#refusal ??= this.#refusalOf(this.#period);
    return this.#refusal;
  }

  #refusalOf({ end }: Period): Refusal {
    const { metric, limit } = this.#quota;
    return quotaExhausted({ metric, limit, resetAt: end, tenantId: this.#tenantId });
  }

  #giveBack(units: number, periodStart: number): void {
    void this.#tryGiveBack(units, periodStart);
  }

  /** Fulfilled in any case: units that could not be given back stay counted as used, which is on the safe side. */
  async #tryGiveBack(units: number, periodStart: number): Promise<void> {
    // Whoever reads the counter is told, too, when the last unit of a lease was used.
    const tells = this.#closed && this.#asynchronous && this.#leased > 0;
    if (units <= 0 && !tells) return;
    try {
      const held = this.#closed || periodStart !== this.#period.start ? 0 : this.#units;
      const counter = { tenantId: this.#tenantId, metric: counterOf(this.#quota), periodStart, held };
      await this.#parts.store.giveBack(counter, units);
    } catch (error) {
      this.#parts.onError(error);
    }
  }
}

/** Whether `now` lies within the time that ends at `end`: a clock that goes back does not make it longer. */
function isWithin(now: number, end: number, ms: number): boolean {
  return now < end && now >= end - ms;
}

/** A store that answers at once does not say what is left. */
function grantOf(granted: number): QuotaGrant {
  return { granted, left: Number.POSITIVE_INFINITY, adjusted: 0, otherPeriod: false };
}
