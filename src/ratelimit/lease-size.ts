import type { RateLimit } from '../sync/snapshot.ts';

/**
 * What the fleet may exceed a limit by, as a time of its rate, is 100 ms: units that were taken from the store and not used are
 * void after the first of these, but for those that gateways keep, which all together are no more than the limit gives in the second.
 */
export const LEASE_LIFE_MS = 80;
const KEPT_MS = 20;
/** So many times the gateways that are known share what may be kept: others may have come of which nothing is known yet. */
const KEPT_MARGIN = 2;
/** A lone gateway may be the first of two. */
const LEAST_SHARERS = 2;
/** Units to be kept are asked for to last so long. */
const KEPT_LASTS_MS = 1000;
/** A lease is meant to last so long: less than its life, so that little of it is void when demand falls. */
const LEASE_LASTS_MS = 60;
/** A larger one than this lasts less: a question costs little by the unit then, and less is void when demand moves on. */
const SMALL_LEASE = 20;
const LARGE_LEASE_LASTS_MS = 30;
/** So long after a bucket was found empty its units are scarce: small leases, for what is void is missing elsewhere. */
export const SCARCE_MS = 500;
const SCARCE_LEASE_LASTS_MS = 20;
/** A new lease is asked for when the one in hand lasts only so much longer: the time until others are asked for, and the way. */
const PREFETCH_MS = 20;
/** Where units are scarce it is asked for at once, and not earlier than the way to the store and back takes. */
const SCARCE_PREFETCH_MS = 8;
/** Calls that come less often than so many times a second find a lease that was asked for ahead void, as often as not. */
const SELDOM = 20;
/** No lease takes more than this share of the burst, so that several gateways share it. */
const LEASE_SHARE = 0.5;
/** An empty bucket is left alone for so long, to gather more than the one unit that a question would cost, */
const GATHER_MS = 75;
/** but never until it is full: what it cannot hold is lost. */
const GATHER_SHARE = 0.6;

/** The units that a lease is to have. @param demand units per second @returns at least 1 */
export function leaseSize({ rate, burst }: RateLimit, demand: number, scarce: boolean): number {
  const most = Math.min((rate * LEASE_LASTS_MS) / 1000, burst * LEASE_SHARE);
  return Math.max(1, Math.floor(Math.min(most, scarce ? (demand * SCARCE_LEASE_LASTS_MS) / 1000 : ample(demand))));
}

/**
 * How many units one of `gateways` may keep, however long it does not use them. A tenant whose calls come far between finds them
 * there; with leases that become void each of its calls would wait for the store.
 */
export function mostKept({ rate, burst }: RateLimit, gateways: number): number {
  const sharers = KEPT_MARGIN * Math.max(LEAST_SHARERS, gateways);
  return Math.floor(Math.min((rate * KEPT_MS) / 1000 / sharers, burst * LEASE_SHARE));
}

/** The units of a lease that is kept. @param most see `mostKept` */
export function keptSize(most: number, demand: number): number {
  return Math.min(most, Math.ceil((demand * KEPT_LASTS_MS) / 1000));
}

function ample(demand: number): number {
  const small = Math.min(SMALL_LEASE, (demand * LEASE_LASTS_MS) / 1000);
  return Math.max(small, (demand * LARGE_LEASE_LASTS_MS) / 1000);
}

/**
 * With so many units in hand the next lease is asked for. -1, never, where calls come so seldom that one asked for ahead
 * would be void before it is used, and is missing elsewhere.
 */
export function prefetchMark(size: number, demand: number, scarce: boolean): number {
  if (scarce) return Math.floor(Math.min(size / 2, (demand * SCARCE_PREFETCH_MS) / 1000)) || -1;
  return demand < SELDOM ? -1 : Math.floor(Math.min(size / 2, (demand * PREFETCH_MS) / 1000));
}

/** Milliseconds that a bucket which was found empty is not asked. */
export function gatherMs({ rate, burst }: RateLimit): number {
  return Math.min(GATHER_MS, (GATHER_SHARE * burst * 1000) / rate);
}
