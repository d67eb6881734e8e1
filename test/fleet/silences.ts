import type { Allowance, Limit } from './checker.ts';

/** A time in which a gateway did not ask Redis, or did not at times, because it had not answered in time. Monotonic milliseconds. */
export interface Silence {
  readonly gateway: number;
  readonly from: number;
  readonly until: number;
}

/** Gateways come back one by one, and the bucket hears late of what they admitted: they go on alone for 300 ms. */
const BACK_MS = 400;

/**
 * What docs/fleet.md allows above the limit when gateways do not hear from Redis, under `local_share`: each its share of the
 * burst when that begins and again when it ends, and its share of the rate for as long as it lasts.
 */
export function silenceAllowances(silences: readonly Silence[], limit: Limit, gateways: number): Allowance[] {
  const burst = Math.max(1, limit.burst / gateways);
  const perTenth = limit.rate / gateways / 10;
  return silences.flatMap(({ from, until }) => {
    const allowances: Allowance[] = [
      { at: from, units: burst },
      { at: until, units: burst },
    ];
    for (let at = from; at < until + BACK_MS; at += 100) allowances.push({ at, units: perTenth });
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
    const match = /"time":"([^"]+)".*"msg":"Redis (does not answer in time|answers again)/.exec(line);
    if (match === null) continue;
    const at = Date.parse(match[1]!) + wallToMonotonic;
    if (match[2] === 'answers again') {
      if (from !== undefined) silences.push({ gateway, from, until: at });
      from = undefined;
    } else from ??= at;
  }
  return from === undefined ? silences : [...silences, { gateway, from, until: now }];
}
