import type { Allowance, Limit } from './checker.ts';

/** A time in which a gateway did not ask Redis, or did not at times, because it had not answered in time. Monotonic milliseconds. */
export interface Silence {
  readonly gateway: number;
  readonly from: number;
  readonly until: number;
}

/** A gateway that hears from Redis again goes on alone while all report: 250 ms (`LeasedBucket`), and a turn. */
const REPORT_MS = 300;

/**
 * What docs/fleet.md allows above the limit when gateways do not hear from Redis, under `local_share`.
 *
 * Why no more: whatever gateways believe, units that come from the bucket obey `burst + rate x (window + lease life)`, for
 * they are taken there before they are used. So all that may come on top is what gateways admit alone; and one that is alone
 * has a bucket of its own, which holds at most `burst / gateways` and fills at `rate / gateways`.
 */
export function silenceAllowances(silences: readonly Silence[], limit: Limit, gateways: number): Allowance[] {
  const burst = Math.max(1, limit.burst / gateways);
  const perTenth = limit.rate / gateways / 10;
  return silences.flatMap(({ from, until }) => {
    const allowances: Allowance[] = [{ at: from, units: burst }];
    for (let at = from; at < until + REPORT_MS; at += 100) allowances.push({ at, units: perTenth });
    return allowances;
  });
}

/** Reads the silences from a gateway's log. @param wallToMonotonic is added to Unix milliseconds @param now ends what lasts */
export function readSilences(output: string, gateway: number, wallToMonotonic: number, now: number): Silence[] {
  const silences: Silence[] = [];
  let from: number | undefined;
  for (const line of output.split('\n')) {
    const late = /"time":"([^"]+)".*"since":"([^"]+)".*"msg":"Redis answered late/.exec(line);
    if (late !== null) {
      const [until, since] = [Date.parse(late[1]!) + wallToMonotonic, Date.parse(late[2]!) + wallToMonotonic];
      silences.push({ gateway, from: since, until });
    }
    const silent = /"since":"([^"]+)".*"msg":"Redis does not answer in time/.exec(line);
    if (silent !== null) from ??= Date.parse(silent[1]!) + wallToMonotonic;
    const back = /"time":"([^"]+)".*"msg":"Redis answers again/.exec(line);
    if (back === null || from === undefined) continue;
    silences.push({ gateway, from, until: Date.parse(back[1]!) + wallToMonotonic });
    from = undefined;
  }
  return from === undefined ? silences : [...silences, { gateway, from, until: now }];
}
