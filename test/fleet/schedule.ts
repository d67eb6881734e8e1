import { Random } from '../http2/fuzz/random.ts';
import type { Allowance, Limit } from './checker.ts';

/** What is done to the fleet, for a while. */
export type FaultKind =
  /** kill -9, and a new start on the same disk. */
  | 'kill-gateway'
  | 'freeze-gateway'
  /** The network between one gateway and Redis: refused, or silent. */
  | 'cut-gateway'
  | 'isolate-gateway'
  | 'freeze-redis'
  /** kill -9, and a new start from the append-only file, or with nothing. */
  | 'kill-redis'
  | 'empty-redis'
  /** Every connection to Redis breaks, and may be made anew at once. */
  | 'break-connections'
  | 'break-subscribers';

export interface Fault {
  readonly kind: FaultKind;
  /** Milliseconds from the begin of the run. */
  readonly at: number;
  readonly lasts: number;
  /** Whom it hits, where it hits one. */
  readonly gateway: number;
}

const KINDS: readonly FaultKind[] = [
  'kill-gateway',
  'freeze-gateway',
  'cut-gateway',
  'isolate-gateway',
  'freeze-redis',
  'kill-redis',
  'break-connections',
  'break-subscribers',
];

/** Quiet before the first fault and after each: so long that the bound of one does not hide what another breaks. */
const QUIET_MS = 1_200;

/**
 * One fault after the other, each kind once before any comes again, in an order, at times and for times that the seed decides.
 * A Redis that is emptied comes last: the fleet then goes on with the configuration that it has, and takes no changes any
 * more. That is over, and quiet has come, when the run ends.
 */
export function createSchedule(seed: number, ms: number, gateways: number): readonly Fault[] {
  const random = new Random(seed);
  const faults: Fault[] = [];
  let kinds: FaultKind[] = [];
  for (let at = QUIET_MS; ; ) {
    if (kinds.length === 0) kinds = [...KINDS];
    const [kind] = kinds.splice(random.below(kinds.length), 1);
    const lasts = 200 + random.below(1_800);
    const gateway = random.below(gateways);
    const fault: Fault = { kind: kind!, at, lasts: kind!.startsWith('break') ? 0 : lasts, gateway };
    const next = at + fault.lasts + QUIET_MS + random.below(800);
    // Room for one more as long as any: when there is none, this one is the last.
    if (next + 2_000 + QUIET_MS > ms) return [...faults, { ...fault, kind: 'empty-redis', lasts }];
    faults.push(fault);
    at = next;
  }
}

export function describeFault({ kind, at, lasts, gateway }: Fault): string {
  const whom = kind.endsWith('gateway') ? ` ${gateway}` : '';
  return `${(at / 1000).toFixed(1).padStart(6)} s  ${kind}${whom}${lasts > 0 ? ` for ${(lasts / 1000).toFixed(1)} s` : ''}`;
}

/** When it was done, and undone: monotonic milliseconds. */
export interface DoneFault {
  readonly fault: Fault;
  readonly from: number;
  readonly until: number;
}

/** The way back from silence: probes ten times a second, new connections within half a second, each gateway by itself. */
const BACK_MS = 1_000;

/**
 * What docs/fleet.md allows above the limit for a fault, under `local_share`:
 * - a gateway that cannot reach Redis admits its share (rate and burst divided by the gateways) beside what the others draw;
 * - when Redis is silent for all, shares are as much as the limit together: a burst when it begins, and one when it is back,
 *   for gateways come back one by one;
 * - a Redis that lost its memory has a full bucket: one more burst.
 */
export function allowancesOf({ fault, from, until }: DoneFault, limit: Limit, gateways: number): Allowance[] {
  const { rate, burst } = limit;
  const share = { rate: rate / gateways, burst: Math.max(1, burst / gateways) };
  const end = until + BACK_MS;
  switch (fault.kind) {
    case 'kill-gateway':
    case 'freeze-gateway':
    case 'break-subscribers':
      return [];
    case 'cut-gateway':
    case 'isolate-gateway':
      return [{ at: from, units: share.burst }, ...steadily(from, end, share.rate)];
    case 'break-connections':
    case 'freeze-redis':
    case 'kill-redis':
      return [{ at: from, units: burst }, { at: until, units: burst }, ...steadily(until, end, rate)];
    case 'empty-redis':
      return [{ at: from, units: burst }, { at: until, units: 2 * burst }, ...steadily(until, end, rate)];
  }
}

/** A rate as units that come ten times a second. */
function steadily(from: number, until: number, rate: number): Allowance[] {
  const allowances: Allowance[] = [];
  for (let at = from; at < until; at += 100) allowances.push({ at, units: rate / 10 });
  return allowances;
}
