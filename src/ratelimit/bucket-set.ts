import type { Finding, Refusal } from '../chain/call.ts';
import { storeUnavailable } from '../chain/refusal.ts';
import type { RateLimit, WhenStoreSilent } from '../sync/snapshot.ts';
import type { BucketOwner } from './bucket-owner.ts';
import { type BucketParts, LeasedBucket } from './leased-bucket.ts';

/** The limit that every call draws on. */
const CALLS = 'calls';

/** The buckets of one list of limits: a tenant's, by its plan, or a key's. A call draws on `calls`, and on the one that its method names. */
export class BucketSet {
  readonly #parts: BucketParts;
  readonly #owner: BucketOwner;
  #limits: readonly RateLimit[];
  #whenSilent: WhenStoreSilent | undefined;
  /** By name; made when first drawn on. */
  readonly #buckets = new Map<string, LeasedBucket>();
  #calls: LeasedBucket | undefined;

  constructor(
    parts: BucketParts,
    owner: BucketOwner,
    limits: readonly RateLimit[],
    whenSilent: WhenStoreSilent | undefined,
  ) {
    this.#parts = parts;
    this.#owner = owner;
    this.#limits = limits;
    this.#whenSilent = whenSilent;
    this.#calls = this.#bucket(CALLS);
  }

  /** Takes other limits; buckets of the same names go on. Does nothing when they are the same objects. */
  change(limits: readonly RateLimit[], whenSilent: WhenStoreSilent | undefined): void {
    if (limits === this.#limits && whenSilent === this.#whenSilent) return;
    this.#limits = limits;
    this.#whenSilent = whenSilent;
    for (const [name, bucket] of this.#buckets) {
      const limit = limits.find((each) => each.name === name);
      if (limit === undefined) this.#buckets.delete(name);
      else bucket.change(limit, whenSilent);
    }
    this.#calls = this.#bucket(CALLS);
  }

  /**
   * Takes a unit of each limit that applies, or of none.
   * @param name of the limit that the method draws on beside `calls`
   * @returns a promise when the store has to be waited for: try again when it is fulfilled
   */
  take(now: number, name: string | undefined): Refusal | Promise<void> | undefined {
    const calls = this.#calls;
    const named = this.#named(name);
    try {
      if (named === undefined) return calls?.take(now);
      // The one that is known to be empty refuses before the other is drawn on.
      if (calls?.isBlocked(now)) return calls.take(now);
      const first = named.take(now);
      if (first !== undefined || calls === undefined) return first;
      const second = takeSecond(calls, named, now);
      if (second !== undefined) named.putBack(now);
      return second;
    } catch {
      return storeUnavailable();
    }
  }

  /** One of those that apply is known to be empty: `take` refuses, and asks no store. */
  isBlocked(now: number, name: string | undefined): boolean {
    return this.#calls?.isBlocked(now) === true || this.#named(name)?.isBlocked(now) === true;
  }

  /** As `take`, without the store. */
  takeAlone(now: number, name: string | undefined): Refusal | undefined {
    const named = this.#named(name);
    const first = named?.takeAlone(now);
    if (first !== undefined) return first;
    const second = this.#calls?.takeAlone(now);
    if (second !== undefined) named?.putBack(now);
    return second;
  }

  /** What was taken just now is not used. */
  putBack(now: number, name: string | undefined): void {
    this.#named(name)?.putBack(now);
    this.#calls?.putBack(now);
  }

  /** What each bucket that `take` would draw on would answer, in the order in which it asks. Takes nothing. */
  async explain(now: number, name: string | undefined, what: string): Promise<readonly Finding[]> {
    const isNamedFirst = this.#named(name) !== undefined && this.#calls?.isBlocked(now) !== true;
    const names = name === undefined || name === CALLS ? [CALLS] : isNamedFirst ? [name, CALLS] : [CALLS, name];
    return Promise.all(
      names.map(async (each) => {
        const limit = this.#limits.find((known) => known.name === each);
        const detail = limit === undefined ? 'there is none' : `${limit.rate} calls a second, ${limit.burst} at once`;
        const refusal = await this.#bucket(each)?.peek(now).catch(storeUnavailable);
        return { rule: `${what} ${each}`, detail, refusal };
      }),
    );
  }

  /** Of those that were drawn on. For metrics. */
  *uses(now: number): Generator<ReturnType<LeasedBucket['use']>> {
    for (const bucket of this.#buckets.values()) yield bucket.use(now);
  }

  /** Nothing is lost when it is dropped and made again. */
  isIdle(now: number): boolean {
    for (const bucket of this.#buckets.values()) if (!bucket.isIdle(now)) return false;
    return true;
  }

  #named(name: string | undefined): LeasedBucket | undefined {
    return name === undefined || name === CALLS ? undefined : this.#bucket(name);
  }

  /** Undefined when there is no limit of this name. */
  #bucket(name: string): LeasedBucket | undefined {
    const known = this.#buckets.get(name);
    if (known !== undefined) return known;
    const limit = this.#limits.find((each) => each.name === name);
    if (limit === undefined) return undefined;
    const bucket = new LeasedBucket(this.#parts, this.#owner, limit, this.#whenSilent);
    this.#buckets.set(name, bucket);
    return bucket;
  }
}

function takeSecond(calls: LeasedBucket, named: LeasedBucket, now: number): Refusal | Promise<void> | undefined {
  try {
    return calls.take(now);
  } catch (error) {
    named.putBack(now);
    throw error;
  }
}
