import { expect, test } from 'vitest';
import type { Fleet } from '../support/fleet.ts';
import { waitedMs } from '../support/waited.ts';
import { checkTotal, checkWindows, worstWindow } from './checker.ts';
import { runDemand } from './demand.ts';
import { monotonicMs } from './monotonic.ts';
import { SECONDS } from './seconds.ts';
import { silenceAllowances } from './silences.ts';

/** Of the tenant `limited`. */
export const LIMIT = { rate: 1_000, burst: 200 };

/** Promise 1: one tenant, ten times the demand that its limit allows, uneven and shifting. */
export function testLimits(fleetOf: () => Fleet): void {
  test('four gateways admit together what one limit allows, nearly all of it, and ask Redis seldom', {
    timeout: 180_000 + SECONDS * 1_000,
  }, async () => {
    const fleet = fleetOf();
    const loads = fleet.gateways.map((_, gateway) => fleet.load(gateway, fleet.key('limited')));
    const refusals = () => loads.reduce((sum, load) => sum + load.refused, 0);
    await runDemand(loads, { total: LIMIT.rate, seconds: 0.5, seed: 1, shiftMs: 100 });
    const refusedBefore = refusals();
    const waits = () => [...fleet.gateways, fleet.redis, process].map(({ pid }) => waitedMs(pid));
    const offers = () => loads.reduce((sum, load) => sum + load.offered, 0);
    const [waitedBefore, offeredBefore] = [waits(), offers()];
    const before = await fleet.scriptRuns();
    const from = monotonicMs();
    await runDemand(loads, { total: 10 * LIMIT.rate, seconds: SECONDS, seed: 2 });
    const until = monotonicMs();
    const runs = (await fleet.scriptRuns()) - before;
    const refused = refusals() - refusedBefore;
    const offered = offers() - offeredBefore;
    // The share of the time in which one of those that it takes did not get to run.
    const waited = Math.max(...waits().map((ms, index) => ms - waitedBefore[index]!)) / (until - from);
    const most = (LIMIT.rate * (until - from)) / 1000;
    for (const load of loads) await fleet.unload(load);
    const calls = await fleet.callsOf('limited');
    const admitted = calls.filter(({ at }) => at >= from && at <= until).length;
    const worst = worstWindow(calls, LIMIT)!;
    const silences = await fleet.silences();
    console.log(
      `promise 1: ${admitted} admitted of ${most.toFixed(0)}, ${refused} refused; worst window ` +
        `${worst.admitted} in ${worst.seconds.toFixed(3)} s, allowed ${worst.allowed.toFixed(0)}; ` +
        `${(runs / admitted).toFixed(3)} Redis commands an admitted call, ${(runs / refused).toFixed(4)} a refused one`,
    );
    expect(checkWindows(calls, LIMIT, silenceAllowances(silences, LIMIT, fleet.gateways.length))).toEqual([]);
    if (silences.length > 0) {
      console.log(`promise 1: Redis was not heard in time ${silences.length} times: too busy a machine for the rest`);
      return;
    }
    console.log(
      `promise 1: held to 97 % of the ${(100 * (1 - waited)).toFixed(1)} % of the time in which all of these processes could run; ` +
        `${((100 * offered) / (10 * most)).toFixed(0)} % of the demand was offered`,
    );
    expect(checkTotal(calls, LIMIT, { from, until }, 0.97 * (1 - waited))).toEqual([]);
    expect(runs / admitted).toBeLessThan(0.1);
    if (offered > 9 * most) expect(runs / refused).toBeLessThan(0.02);
  });
}
