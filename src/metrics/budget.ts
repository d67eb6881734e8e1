import { CODES } from '../grpc/status.ts';
import { MAX_PAGES, PAGE_OCTETS, PagePool } from './page-pool.ts';
import { WaitingCalls } from './waiting-calls.ts';

/** What the configuration allows. */
export interface MetricsLimits {
  /** Series of tenant x method x status that are kept apart. */
  readonly maxSeries: number;
  /** Octets for all of them, with what was counted lately. */
  readonly memory: number;
}

export const MIB = 1024 * 1024;
export const DEFAULT_LIMITS: MetricsLimits = { maxSeries: 10_000, memory: 32 * MIB };

/** Different methods that have names; more are `_other`. They come from contracts, never from strangers. */
export const MAX_METHODS = 4_095;

/** Octets of a series without its histograms: 150 in typed arrays, the rest for the tenant's name and its place in a map. */
const SERIES_OCTETS = 360;
/** Pages that the smallest table can do with: a few series of the widest histograms. */
const LEAST_PAGES = 16_384;
/** Pages that a series should have: two octaves of each of its histograms, on two levels. */
const LEAST_PAGES_OF_SERIES = 12;
const LEAST_LOG = MIB;
/** The share of the memory that is for what was counted lately. */
const LOG_SHARE = 1 / 4;

/** How the memory is shared out. */
export interface MetricsBudget {
  readonly maxSeries: number;
  /** Series of the tenants that were folded, by method and status, beyond one for each status. */
  readonly maxOthers: number;
  readonly pages: number;
  /** Octets, a power of two. */
  readonly log: number;
}

/** @throws RangeError when the memory is less than `leastMemory` */
export function shareOut({ maxSeries, memory }: MetricsLimits): MetricsBudget {
  const least = leastMemory(maxSeries);
  if (memory < least) throw new RangeError(`${maxSeries} series need ${least} octets, not ${memory}`);
  const maxOthers = othersOf(maxSeries);
  const tables = tableOctets(maxSeries);
  const log = Math.min(floorPower(memory * LOG_SHARE), floorPower(memory - least + LEAST_LOG));
  const pages = Math.min(MAX_PAGES, Math.floor((memory - tables - log - PagePool.octets(0)) / PAGE_OCTETS));
  return { maxSeries, maxOthers, pages, log };
}

/** Octets without which so many series cannot be kept. */
export function leastMemory(maxSeries: number): number {
  const pages = Math.max(LEAST_PAGES, LEAST_PAGES_OF_SERIES * maxSeries);
  return tableOctets(maxSeries) + PagePool.octets(pages) + LEAST_LOG;
}

function othersOf(maxSeries: number): number {
  return Math.ceil(maxSeries / 4);
}

function tableOctets(maxSeries: number): number {
  return SERIES_OCTETS * (maxSeries + othersOf(maxSeries) + CODES) + WaitingCalls.octets;
}

function floorPower(octets: number): number {
  return 2 ** Math.floor(Math.log2(octets));
}
