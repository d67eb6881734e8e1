import { Random } from '../http2/fuzz/random.ts';
import type { Allowance, Limit } from './checker.ts';
import type { Silence } from './silences.ts';

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
  | 'break-subscribers'
  /** Its clock is an hour ahead for a while, and then goes back. */
  | 'skew-redis';

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
export function createSchedule(seed: number, ms: number, gateways: number, skew = false): readonly Fault[] {
  const random = new Random(seed);
  const faults: Fault[] = [];
  let kinds: FaultKind[] = [];
  for (let at = QUIET_MS; ; ) {
    if (kinds.length === 0) kinds = skew ? [...KINDS, 'skew-redis'] : [...KINDS];
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

/**
 * The way back from silence, each gateway by itself: a new connection within 500 ms, a quarter more by chance, a probe within
 * 100 ms, and 250 ms alone in which all report.
 */
const BACK_MS = 1_000;

/**
 * What docs/fleet.md allows above the limit for a fault, under `local_share`. All of it follows from this: units that come
 * from the bucket obey `burst + rate x (window + lease life)`, and on top comes what gateways admit alone, each from a bucket
 * of its own with its share of the burst and of the rate.
 * - a gateway that cannot reach Redis admits its share (rate and burst divided by the gateways) beside what the others draw;
 * - when Redis is silent for all, shares are as much as the limit together, and nothing comes from the bucket: the rate is
 *   the limit's. But they begin with a burst beside what was drawn before, and the bucket, which did not see them, is full when
 *   it is back: two bursts. From then on, until the last gateway is back, rate comes from both;
 * - a Redis that lost its memory has a full bucket: one more burst;
 * - a clock that goes ahead fills the bucket: one burst. On its way back it earns nothing.
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
    case 'skew-redis':
      return [{ at: from, units: burst }];
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

/** A silence begins with the last word that was heard, which may be a while before the fault. */
const LAST_WORD_MS = 20;

/** Whether a gateway did not hear from Redis because of this fault: what that allows is then allowed already. */
export function explains({ fault, from, until }: DoneFault, silence: Silence): boolean {
  if (silence.from < from - LAST_WORD_MS || silence.from > until) return false;
  switch (fault.kind) {
    case 'cut-gateway':
    case 'isolate-gateway':
      return silence.gateway === fault.gateway;
    case 'break-connections':
    case 'freeze-redis':
    case 'kill-redis':
    case 'empty-redis':
      return true;
    case 'kill-gateway':
    case 'freeze-gateway':
    case 'break-subscribers':
    case 'skew-redis':
      return false;
  }
}
