import type { Refusal } from '../chain/call.ts';
import type { EndOfTurn } from '../chain/end-of-turn.ts';
import { storeUnavailable } from '../chain/refusal.ts';
import type { RateLedger } from '../store/ledger.ts';
import { type OpenBucket, type RateGrant, type RateStore, StoreSilent } from '../store/store.ts';
import type { RateLimit, WhenStoreSilent } from '../sync/snapshot.ts';
import { type BucketOwner, bucketName } from './bucket-owner.ts';
import { Demand } from './demand.ts';
import { gatherMs, keptSize, leaseSize, mostKept, prefetchMark, SCARCE_MS } from './lease-size.ts';
import { Leases } from './leases.ts';
import { LocalShare } from './local-share.ts';
import { type RateRefusals, roundWait } from './rate-refusals.ts';

/** A bucket that never fills (a burst below 1) is asked again once a day. */
const MAX_BLOCK_MS = 86_400_000;
/** After a question that was not answered in time, a bucket decides alone for so long. */
const ALONE_MS = 10;
/** A store that is back hears first from every gateway what was used without it, and what is still being used. */
const REPORT_MS = 250;
const REPORT_EVERY_MS = 40;

/** How a bucket asks: for as many units as it wishes when nothing is said, and soon instead of at once. */
interface Asking {
  readonly want?: number;
  readonly soon?: boolean;
}

/** What the buckets of a rate limiter share. */
export interface BucketParts {
  readonly store: RateStore & Partial<RateLedger>;
  readonly refusals: RateRefusals;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Gateways that were last known to live, this one included. */
  readonly liveGateways: () => number;
  /** Where a store across the network is asked. */
  readonly turn: EndOfTurn;
}

/**
 * One tenant's bucket of one limit as this gateway sees it: units leased from the store, and the time before which an empty
 * bucket need not be asked again. A store that answers at once is asked for one unit at a time, which is exact; a
 * store across the network for as many as demand will use up soon. While that one is silent, the plan says what holds.
 */
export class LeasedBucket {
  readonly #parts: BucketParts;
  readonly #key: string;
  readonly #owner: BucketOwner;
  #limit: RateLimit;
  #whenSilent: WhenStoreSilent;
  readonly #leases = new Leases();
  /** How many units may be kept, and the number of gateways that this follows from. */
  #mostKept = 0;
  #sharers = 0;
  readonly #demand: Demand;
  #blockedUntil = 0;
  #scarceUntil = 0;
  #refusal: Refusal | undefined = undefined;
  #pending: Promise<void> | undefined = undefined;
  /** Calls that wait for `#pending`, and those that the answer before left without a unit. */
  #waiting = 0;
  #backlog = 0;
  /** The store answers with promises. */
  #remote: boolean;
  /** The store's bucket, where it is in this process. */
  readonly #open: OpenBucket | undefined;
  /** With so many units in hand more are asked for. */
  #prefetchAt = -1;
  /** Units left in the store's bucket as it last said, and when. */
  #left: number | undefined = undefined;
  #leftAt = 0;
  /** Decides while the store is silent. */
  #alone: LocalShare | undefined = undefined;
  /** Units that were used without the store, the last of them when, and when it is told of them next. */
  #owed = 0;
  #owedAt = 0;
  /** The last unit that was taken is one of those. */
  #tookAlone = false;
  #reportAt = 0;

  constructor(parts: BucketParts, owner: BucketOwner, limit: RateLimit, whenSilent: WhenStoreSilent = 'local_share') {
    this.#parts = parts;
    this.#owner = owner;
    this.#limit = limit;
    this.#whenSilent = whenSilent;
    this.#key = bucketName(owner, limit.name);
    this.#open = parts.store.open?.(this.#key);
    this.#demand = new Demand(parts.now());
    this.#remote = parts.store.remote === true;
  }

  /** Takes a changed rate or burst; what was learned under the old ones is forgotten, the store's debt is not. */
  change(limit: RateLimit, whenSilent: WhenStoreSilent = 'local_share'): void {
    const { rate, burst } = this.#limit;
    this.#limit = limit;
    this.#whenSilent = whenSilent;
    if (limit.rate === rate && limit.burst === burst) return;
    this.#leases.clear();
    this.#sharers = 0;
    this.#blockedUntil = 0;
    this.#left = undefined;
    this.#alone = undefined;
  }

  /** Known to be empty, so that the store is not even asked. */
  isBlocked(now: number): boolean {
    if (now >= this.#blockedUntil || this.#leases.any(now)) return false;
    return this.#alone === undefined && this.#parts.store.silent !== true;
  }

  /** The limit's name, and its use as this gateway knows it: of the burst, at `now`. For metrics. */
  use(now: number): { readonly name: string; readonly used: number; readonly limit: number } {
    const { name, rate, burst } = this.#limit;
    const earned = ((now - this.#leftAt) * rate) / 1000;
    const told = this.#left === undefined ? burst : this.#left + this.#leases.units + earned;
    const left = this.#parts.store.left?.(this.#key, burst) ?? told;
    return { name, used: this.isBlocked(now) ? burst : Math.max(0, burst - left), limit: burst };
  }

  /** Nothing is lost when it is dropped and made again, but for the few units that are kept. */
  isIdle(now: number): boolean {
    if (now < this.#blockedUntil || this.#pending !== undefined || this.#leases.anyLeased(now)) return false;
    // What is owed is void when the store's bucket is full again.
    return this.#owed === 0 || now - this.#owedAt > (this.#limit.burst * 1000) / this.#limit.rate;
  }

  /**
   * Takes one unit.
   * @returns undefined when there was one, a refusal when there is none, a promise when the store has to be waited for: try
   * again when it is fulfilled. Rejects or throws when the store fails.
   */
  take(now: number): Refusal | Promise<void> | undefined {
    this.#demand.count();
    this.#tookAlone = false;
    if (this.#remote) this.#shareWith(this.#parts.liveGateways());
    if (this.#leases.take(now)) {
      if (this.#leases.units <= this.#prefetchAt) this.#prefetch(now);
      return undefined;
    }
    if (this.#alone !== undefined || this.#parts.store.silent === true) {
      if (!this.#mayAskAgain(now)) return this.takeAlone(now);
    }
    if (now < this.#blockedUntil) return this.#refuse(this.#blockedUntil - now);
    if (this.#pending !== undefined) this.#parts.turn.hurry();
    else {
      const granted = this.#ask(now);
      if (granted !== undefined) return this.#leases.take(now) ? undefined : this.#refuse(this.#blockedUntil - now);
    }
    this.#waiting++;
    return this.#pending;
  }

  /** What `take` would answer, without taking anything. */
  async peek(now: number): Promise<Refusal | undefined> {
    if (this.#leases.any(now)) return undefined;
    const { store } = this.#parts;
    if (this.#alone !== undefined || store.silent === true) {
      if (this.#whenSilent === 'closed') return storeUnavailable();
      const wait = this.#whenSilent === 'open' ? 0 : (this.#alone?.retryAfterMs(now) ?? 0);
      return wait > 0 ? this.#refuse(wait) : undefined;
    }
    if (now < this.#blockedUntil) return this.#refuse(this.#blockedUntil - now);
    const { rate, burst } = this.#limit;
    const standing = await store.peek?.(this.#key, rate, burst);
    return standing === undefined || (standing.left ?? 0) > 0 ? undefined : this.#refuse(standing.retryAfterMs);
  }

  /** Takes one unit without the store, as the plan says. */
  takeAlone(now: number): Refusal | undefined {
    if (this.#whenSilent === 'closed') return storeUnavailable();
    const share = this.#goAlone(now);
    if (this.#whenSilent !== 'open' && !share.take(now)) return this.#refuse(share.retryAfterMs(now));
    this.#owed++;
    this.#owedAt = now;
    this.#tookAlone = true;
    return undefined;
  }

  /** A unit that was taken just now and not used is there for the next call. */
  putBack(now: number): void {
    if (!this.#tookAlone) {
      this.#leases.putBack(now);
      return;
    }
    // No lease had it: nor is the store to be told of it as used.
    this.#tookAlone = false;
    this.#owed = Math.max(0, this.#owed - 1);
    if (this.#whenSilent !== 'open') this.#alone?.putBack();
  }

  /** Others that come take their part of what may be kept. */
  #shareWith(gateways: number): void {
    if (gateways === this.#sharers) return;
    this.#sharers = gateways;
    this.#mostKept = mostKept(this.#limit, gateways);
    this.#leases.keepAtMost(this.#mostKept);
  }

  #goAlone(now: number): LocalShare {
    if (this.#alone !== undefined) return this.#alone;
    const gateways = this.#parts.liveGateways();
    // A bucket of which nothing was ever heard is full, once: not again each time that the store is late.
    if (this.#left === undefined) {
      this.#left = this.#limit.burst;
      this.#leftAt = now;
    }
    // The others are taken to have used as much alone as this one.
    const earned = ((now - this.#leftAt) * this.#limit.rate) / 1000 - this.#owed * gateways;
    this.#alone = new LocalShare(this.#limit, gateways, Math.max(0, this.#left + earned), now, now + ALONE_MS);
    return this.#alone;
  }

  /** Whether the store answers again, and has had the time to hear from all gateways. */
  #mayAskAgain(now: number): boolean {
    const { store } = this.#parts;
    if (store.silent === true) {
      this.#goAlone(now).until = Number.POSITIVE_INFINITY;
      return false;
    }
    const alone = this.#alone;
    if (alone === undefined) return true;
    if (alone.until === Number.POSITIVE_INFINITY) {
      alone.until = now + REPORT_MS;
      this.#reportAt = now;
      this.#blockedUntil = 0;
    }
    if (now < alone.until) {
      if (now >= this.#reportAt) this.#report(now);
      return false;
    }
    this.#alone = undefined;
    return true;
  }

  /** Tells what is owed, and asks for nothing. */
  #report(now: number): void {
    this.#reportAt = now + REPORT_EVERY_MS;
    if (this.#owed > 0 && this.#pending === undefined) this.#ask(now, { want: 0 });
  }

  #prefetch(now: number): void {
    if (this.#pending !== undefined || now < this.#blockedUntil) return;
    if (this.#alone !== undefined || this.#parts.store.silent === true) return;
    try {
      this.#ask(now, { soon: now >= this.#scarceUntil });
    } catch {
      // A failure shows again, to the call that then has to wait.
    }
  }

  /** @returns undefined when the answer has to be waited for */
  #ask(now: number, how: Asking = {}): RateGrant | undefined {
    if (this.#parts.store.remote === true) {
      this.#wait(this.#askInTurn(how));
      return undefined;
    }
    const want = how.want ?? this.#wish(now);
    const grant = this.#take(want, now);
    if (grant instanceof Promise) {
      this.#remote = true;
      this.#wait(this.#await(grant, want, now));
      return undefined;
    }
    this.#leases.add(grant.granted, now, now);
    if (grant.granted === 0) this.#block(grant.retryAfterMs, now);
    return grant;
  }

  #take(want: number, askedAt: number): RateGrant | Promise<RateGrant> {
    const { store } = this.#parts;
    const limit = this.#limit;
    const owed = this.#owed;
    const charged = Math.min(owed, Math.floor(limit.burst));
    if (store.remote !== true) {
      if (this.#open !== undefined) return this.#open.take(limit.rate, limit.burst, want);
      return store.take(this.#key, limit.rate, limit.burst, want, charged);
    }
    return store.take(this.#key, limit.rate, limit.burst, want, charged, (late) => {
      // Nobody waits for it any more, but its units were taken, and may be good for a while.
      this.#owed = Math.max(0, this.#owed - owed);
      if (limit === this.#limit) this.#apply(late, want, askedAt);
    });
  }

  #wait(answer: Promise<void>): void {
    this.#pending = answer.finally(() => {
      this.#pending = undefined;
      this.#waiting = 0;
    });
    // A failure is told to the calls that wait; perhaps there is none.
    this.#pending.catch(() => {});
  }

  /** How much is asked for is known when all calls of this turn have been here. */
  async #askInTurn({ want, soon }: Asking): Promise<void> {
    const { turn, now } = this.#parts;
    await new Promise<void>((resolve) => (soon ? turn.addSoon(resolve) : turn.add(resolve)));
    const askedAt = now();
    const wanted = want ?? this.#wish(askedAt);
    await this.#await(this.#take(wanted, askedAt), wanted, askedAt);
  }

  async #await(grant: RateGrant | Promise<RateGrant>, want: number, askedAt: number): Promise<void> {
    const limit = this.#limit;
    const owed = this.#owed;
    try {
      const got = await grant;
      this.#owed -= owed;
      // Under a limit that has changed meanwhile the answer says nothing.
      if (limit === this.#limit) this.#apply(got, want, askedAt);
    } catch (error) {
      if (!(error instanceof StoreSilent)) throw error;
      this.#goAlone(this.#parts.now());
    }
  }

  #apply(got: RateGrant, want: number, askedAt: number): void {
    const now = this.#parts.now();
    this.#left = got.left;
    this.#leftAt = now;
    this.#backlog = Math.max(0, this.#waiting - got.granted);
    const kept = Math.max(0, Math.min(got.granted, this.#mostKept - this.#leases.kept));
    this.#leases.keep(kept);
    if (got.granted > kept) this.#leases.add(got.granted - kept, askedAt, now);
    // Less than was asked for: the bucket is empty. It is left alone until there is more in it than a unit or two.
    if (got.granted < want) {
      this.#block(Math.max(got.retryAfterMs, gatherMs(this.#limit)), now);
      this.#scarceUntil = now + SCARCE_MS;
    }
  }

  #block(ms: number, now: number): void {
    this.#blockedUntil = now + Math.min(ms, MAX_BLOCK_MS);
  }

  /** How many units to ask for. One, until a store has answered with a promise. */
  #wish(now: number): number {
    if (!this.#remote) return 1;
    const demand = this.#demand.at(now);
    const scarce = now < this.#scarceUntil;
    const want = Math.max(
      leaseSize(this.#limit, demand, scarce),
      scarce ? 0 : keptSize(this.#mostKept, demand) - this.#leases.kept,
      Math.min(Math.max(this.#backlog, this.#waiting), Math.floor(this.#limit.burst)),
    );
    this.#backlog = 0;
    // What is kept does not become void however seldom calls come.
    this.#prefetchAt = Math.max(scarce || this.#mostKept === 0 ? -1 : 0, prefetchMark(want, demand, scarce));
    return want;
  }

  /** One refusal serves a flood for as long as the time that it tells is about right. */
  #refuse(ms: number): Refusal {
    const wait = roundWait(Math.min(ms, MAX_BLOCK_MS));
    if (this.#refusal?.retryAfterMs !== wait)
      this.#refusal = this.#parts.refusals.get(this.#owner, this.#limit.name, wait);
    return this.#refusal;
  }
}
