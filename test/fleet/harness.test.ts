import { afterAll, beforeAll, expect, test } from 'vitest';
import { Code } from '../../src/grpc/status.ts';
import { Fleet } from '../support/fleet.ts';
import { type AdmittedCall, checkTotal, checkWindows, worstWindow } from './checker.ts';
import { runDemand } from './demand.ts';
import type { Load } from './load.ts';
import { monotonicMs } from './monotonic.ts';

// The instruments themselves: gateways that share nothing must be caught, one alone must not.

const LIMIT = { rate: 100, burst: 20 };
let fleet: Fleet;

beforeAll(async () => {
  fleet = await Fleet.start({
    gateways: 2,
    embedded: true,
    edit: (config) => {
      config.plans[0]!.limits = [{ name: 'calls', ...LIMIT }];
    },
  });
});
afterAll(() => fleet.dispose());

test('two gateways that share nothing admit twice the limit, and the checker says so; of one it does not', async () => {
  const loads = [
    fleet.load(0, fleet.key('alpha')),
    fleet.load(1, fleet.key('alpha')),
    fleet.load(0, fleet.key('beta')),
  ];
  const from = monotonicMs();
  await runDemand(loads, { total: 1_500, seconds: 2, seed: 1, shiftMs: 100 });
  const until = monotonicMs();
  const calls = await fleet.backend.fetch();
  const of = (tenant: string, gateway: number) => (call: AdmittedCall) =>
    call.tenant === tenant && call.gateway === gateway;
  const alpha = calls.filter(({ tenant }) => tenant === 'alpha');
  expect(checkWindows(alpha, LIMIT)).toHaveLength(1);
  for (const one of [of('alpha', 0), of('alpha', 1), of('beta', 0)]) {
    const admitted = calls.filter(one);
    expect(worstWindow(admitted, LIMIT)?.admitted).toBeGreaterThan(20);
    expect(checkWindows(admitted, LIMIT)).toEqual([]);
  }
  expect(checkTotal(alpha, LIMIT, { from, until })).toEqual([]);
  expect(checkTotal(calls.filter(of('beta', 1)), LIMIT, { from, until })).toHaveLength(1);
  // Everything offered was answered, and what was admitted is what the backend saw.
  for (const load of loads) await load.stop();
  const admitted = loads.reduce((sum, load) => sum + load.count(0), 0);
  expect(admitted).toBe((await fleet.backend.fetch()).length);
  expect(loads.map((load) => load.offered)).toEqual(loads.map((load) => load.count(0) + load.refused));
});

test('a backend can fail, and be gone, for one gateway alone', async () => {
  const load = fleet.load(0, fleet.key('beta'));
  const other = fleet.load(1, fleet.key('beta'));
  expect(await statusOf(load)).toBe(0);
  await fleet.backend.fail([0]);
  expect(await statusOf(load)).toBe(14);
  expect(await statusOf(other)).toBe(0);
  await fleet.backend.fail([]);
  await fleet.backend.cut([1]);
  expect(await statusOf(other)).toBe(14);
  expect(await statusOf(load)).toBe(0);
});

/** What the backend's answer comes to. The test before has left the tenant's bucket empty: who is refused calls again. */
async function statusOf(load: Load): Promise<number> {
  for (;;) {
    const { status } = await load.call();
    if (status !== Code.RESOURCE_EXHAUSTED) return status;
  }
}
