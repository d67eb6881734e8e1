import { afterAll, beforeAll, expect, test } from 'vitest';
import { Fleet } from '../support/fleet.ts';
import { checkTotal, checkWindows, worstWindow } from './checker.ts';
import { runDemand } from './demand.ts';
import { monotonicMs } from './monotonic.ts';
import { SECONDS } from './seconds.ts';

// Promise 1: four gateways, one tenant, ten times the demand that its limit allows, uneven and shifting.

const LIMIT = { rate: 1_000, burst: 200 };
const GATEWAYS = 4;
let fleet: Fleet;

beforeAll(async () => {
  fleet = await Fleet.start({
    gateways: GATEWAYS,
    edit: (config) => {
      config.plans[0]!.limits = [{ name: 'calls', ...LIMIT }];
    },
  });
});
afterAll(() => fleet.dispose());

test('four gateways admit together what one limit allows, nearly all of it, and ask Redis seldom', {
  timeout: 30_000 + SECONDS * 1_000,
}, async () => {
  const loads = Array.from({ length: GATEWAYS }, (_, gateway) => fleet.load(gateway, fleet.key('alpha')));
  await runDemand(loads, { total: LIMIT.rate, seconds: 0.5, seed: 1, shiftMs: 100 });
  const refusedBefore = loads.reduce((sum, load) => sum + load.refused, 0);
  const before = await fleet.scriptRuns();
  const from = monotonicMs();
  await runDemand(loads, { total: 10 * LIMIT.rate, seconds: SECONDS, seed: 2 });
  const until = monotonicMs();
  const runs = (await fleet.scriptRuns()) - before;
  for (const load of loads) await load.stop();
  const calls = (await fleet.backend.fetch()).filter(({ tenant }) => tenant === 'alpha');
  const admitted = calls.filter(({ at }) => at >= from && at <= until).length;
  const refused = loads.reduce((sum, load) => sum + load.refused, 0) - refusedBefore;
  const worst = worstWindow(calls, LIMIT)!;
  console.log(
    `promise 1: ${admitted} admitted of ${((LIMIT.rate * (until - from)) / 1000).toFixed(0)}, ${refused} refused; worst window ` +
      `${worst.admitted} in ${worst.seconds.toFixed(3)} s, allowed ${worst.allowed.toFixed(0)}; ` +
      `${(runs / admitted).toFixed(3)} Redis commands an admitted call, ${(runs / refused).toFixed(4)} a refused one`,
  );
  expect(checkWindows(calls, LIMIT)).toEqual([]);
  expect(checkTotal(calls, LIMIT, { from, until })).toEqual([]);
  expect(runs / admitted).toBeLessThan(0.1);
  expect(runs / refused).toBeLessThan(0.02);
});
