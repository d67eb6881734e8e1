/** A call that a backend has seen. Times are milliseconds of the machine's monotonic clock, the same for all processes. */
export interface AdmittedCall {
  /** It was admitted no earlier than `since`, when its gateway named it, and came no later than `at`. */
  readonly since: number;
  readonly at: number;
  readonly tenant: string;
  /** Index in the fleet. */
  readonly gateway: number;
  /** The key that it was made with. */
  readonly principal: string;
}

/** A limit of the plan, for the whole fleet. */
export interface Limit {
  /** Per second. */
  readonly rate: number;
  readonly burst: number;
}

/** A moment at which a documented bound lets the fleet admit so many units more than the limit alone. */
export interface Allowance {
  readonly at: number;
  readonly units: number;
}

/** What the life of a lease adds to a window: seconds. */
export const LEASE_LIFE_S = 0.1;

export interface WorstWindow {
  /** Calls in it, and how many the promise allows. */
  readonly admitted: number;
  readonly allowed: number;
  readonly fromMs: number;
  readonly seconds: number;
}

/**
 * The window that comes closest to breaking `admitted <= burst + rate x (window + lease life) + allowances within it`, over
 * all windows there are. A window counts the calls that were in it for certain: it begins when none of them had been
 * admitted yet, and ends at a call's `at`. A busy machine lets calls wait on their way to the backend and come all at once, and
 * that is nothing that gateways promise. Linear: what a call adds and what time allows are both sums, so the worst begin is a running minimum.
 *
 * @param calls of one tenant, in the order of the log
 * @returns undefined when there are none
 */
export function worstWindow(
  calls: readonly AdmittedCall[],
  limit: Limit,
  allowances: readonly Allowance[] = [],
): WorstWindow | undefined {
  const perMs = limit.rate / 1000;
  const sorted = [...allowances].sort((a, b) => a.at - b.at);
  const allowedBefore = createSum(sorted, (at, time) => at < time);
  const allowedUntil = createSum(sorted, (at, time) => at <= time);
  const sinces = earliestFromHereOn(calls);
  let begin = { value: Number.POSITIVE_INFINITY, index: 0 };
  let worst: { value: number; begin: number; end: number } | undefined;
  for (const [index, call] of calls.entries()) {
    const since = sinces[index]!;
    const value = index - perMs * since - allowedBefore(since);
    if (value < begin.value) begin = { value, index };
    const over = index + 1 - perMs * call.at - allowedUntil(call.at) - begin.value;
    if (worst === undefined || over > worst.value) worst = { value: over, begin: begin.index, end: index };
  }
  if (worst === undefined) return undefined;
  const fromMs = sinces[worst.begin]!;
  const seconds = (calls[worst.end]!.at - fromMs) / 1000;
  const admitted = worst.end - worst.begin + 1;
  // `over` is admitted - rate x window - allowances: what is left is held against the burst.
  const allowed = admitted - worst.value + limit.burst + limit.rate * LEASE_LIFE_S;
  return { admitted, allowed, fromMs, seconds };
}

/** @param begin times are told from there on @returns what is broken, in one line */
export function checkWindows(
  calls: readonly AdmittedCall[],
  limit: Limit,
  allowances: readonly Allowance[] = [],
  begin = 0,
): string[] {
  const worst = worstWindow(calls, limit, allowances);
  if (worst === undefined || worst.admitted <= worst.allowed + 1e-6) return [];
  const { admitted, allowed, seconds, fromMs } = worst;
  const when = `from ${((fromMs - begin) / 1000).toFixed(3)} s on`;
  return [`${admitted} calls admitted within ${seconds.toFixed(3)} s (${when}), allowed ${allowed.toFixed(1)}`];
}

/** Between two moments demand was above the limit: what was admitted must be at least `share` of rate x time. */
export function checkTotal(
  calls: readonly AdmittedCall[],
  limit: Limit,
  period: { readonly from: number; readonly until: number },
  share = 0.97,
): string[] {
  const admitted = calls.filter(({ at }) => at >= period.from && at <= period.until).length;
  const possible = (limit.rate * (period.until - period.from)) / 1000;
  if (admitted >= possible * share) return [];
  return [`${admitted} calls admitted of ${possible.toFixed(0)} possible, less than ${share * 100} %`];
}

/** The calls served cost no more than the quota, and what is counted as used beyond them no more than may be lost. */
export function checkQuota(
  calls: readonly AdmittedCall[],
  quota: { readonly limit: number; readonly used: number; readonly mayBeLost: number },
): string[] {
  const served = calls.length;
  const broken: string[] = [];
  if (served > quota.limit) broken.push(`${served} units served of a quota of ${quota.limit}`);
  if (quota.used > quota.limit) broken.push(`${quota.used} units counted of a quota of ${quota.limit}`);
  if (quota.used < served) broken.push(`${served} units served, ${quota.used} counted`);
  const lost = quota.used - served;
  if (lost > quota.mayBeLost) broken.push(`${lost} units lost, at most ${quota.mayBeLost} may be`);
  return broken;
}

/** A version that a gateway was seen to have; `run` counts its processes: a new one begins with what it has on disk. */
export interface SeenVersion {
  readonly at: number;
  readonly gateway: number;
  readonly run: number;
  readonly version: number;
}

/** @param seen in the order of time */
export function checkVersions(seen: readonly SeenVersion[]): string[] {
  const last = new Map<string, number>();
  const broken: string[] = [];
  for (const { gateway, run, version } of seen) {
    const key = `${gateway}/${run}`;
    const before = last.get(key) ?? 0;
    if (version < before) broken.push(`gateway ${gateway} went from version ${before} back to ${version}`);
    last.set(key, version);
  }
  return broken;
}

/** A key whose revocation was acknowledged. */
export interface Revocation {
  readonly principal: string;
  readonly acknowledgedAt: number;
  /** Gateways that the acknowledgement named as not yet knowing, and until when each may admit (its wake-up and one second). */
  readonly excused?: ReadonlyMap<number, number>;
}

/** No call with a revoked key reaches a backend; one that was admitted just before may be on its way for `wayMs`. */
export function checkRevocations(
  calls: readonly AdmittedCall[],
  revocations: readonly Revocation[],
  wayMs = 100,
): string[] {
  const byPrincipal = new Map(revocations.map((revocation) => [revocation.principal, revocation]));
  const broken = new Map<string, string>();
  for (const { principal, since, gateway } of calls) {
    const revocation = byPrincipal.get(principal);
    if (revocation === undefined) continue;
    const end = Math.max(revocation.acknowledgedAt, revocation.excused?.get(gateway) ?? 0);
    if (since <= end + wayMs) continue;
    const late = (since - end).toFixed(0);
    broken.set(`${principal}/${gateway}`, `gateway ${gateway} admitted ${principal} ${late} ms after it was revoked`);
  }
  return [...broken.values()];
}

/** For each call the earliest time at which it, or one that came after it, may have been admitted: they never decrease. */
function earliestFromHereOn(calls: readonly AdmittedCall[]): number[] {
  const sinces = calls.map(({ since }) => since);
  for (let i = sinces.length - 2; i >= 0; i--) sinces[i] = Math.min(sinces[i]!, sinces[i + 1]!);
  return sinces;
}

/** Sums the units of what is before a time; asked with times that never decrease. */
function createSum(sorted: readonly Allowance[], isBefore: (at: number, time: number) => boolean) {
  let next = 0;
  let sum = 0;
  return (time: number): number => {
    for (; next < sorted.length && isBefore(sorted[next]!.at, time); next++) sum += sorted[next]!.units;
    return sum;
  };
}
