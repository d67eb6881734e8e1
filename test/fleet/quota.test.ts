import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { Fleet } from '../support/fleet.ts';
import { checkQuota } from './checker.ts';
import { runDemand } from './demand.ts';
import { SECONDS } from './seconds.ts';

// Promise 2: one quota, whoever serves, and whoever dies.

const GATEWAYS = 4;
const QUOTA = 2_000;
const WIDE = 100_000;
/** No lease is more than a hundredth of the quota (docs/quota.md). */
const LEASE = WIDE / 100;
let fleet: Fleet;

beforeAll(async () => {
  const period = { period: Quota_Period.PERIOD_DAY, timeZone: 'UTC' };
  fleet = await Fleet.start({
    gateways: GATEWAYS,
    edit: (config) => {
      const [wide] = config.plans;
      wide!.quotas = [{ ...wide!.quotas[0]!, ...period, metric: 'units', limit: WIDE }];
      config.plans.push({ ...wide!, name: 'narrow', quotas: [{ ...wide!.quotas[0]!, limit: QUOTA }] });
      config.tenants[0]!.plan = 'narrow';
    },
  });
});
afterAll(() => fleet.dispose());

test('the fleet serves exactly the quota, kill -9 loses at most one lease of each, and what drains loses nothing', {
  timeout: 30_000 + 3_000 * SECONDS,
}, async () => {
  const all = (tenant: string) =>
    Array.from({ length: GATEWAYS }, (_, gateway) => fleet.load(gateway, fleet.key(tenant)));
  const alpha = all('alpha');
  await runDemand(alpha, { total: (2 * QUOTA) / SECONDS, seconds: SECONDS, seed: 3 });
  for (const load of alpha) await load.stop();
  const servedOf = async (tenant: string) => (await fleet.backend.fetch()).filter((call) => call.tenant === tenant);
  expect(await servedOf('alpha')).toHaveLength(QUOTA);

  const beta = all('beta');
  const demand = runDemand(beta, { total: 1_000, seconds: SECONDS, seed: 4, shiftMs: 100 });
  await setTimeout(SECONDS * 500);
  await Promise.all([2, 3].map((gateway) => fleet.gateways[gateway]!.kill('SIGKILL')));
  await demand;
  for (const load of beta) await load.stop();
  const exits = await Promise.all([0, 1].map((gateway) => fleet.gateways[gateway]!.kill('SIGTERM')));
  expect(exits).toEqual([0, 0]);
  const usedOfAlpha = await fleet.quotaUsed('alpha', 'units');
  const usedOfBeta = await fleet.quotaUsed('beta', 'units');
  const served = await servedOf('beta');
  console.log(
    `promise 2: ${QUOTA} served of ${QUOTA}; ${usedOfBeta - served.length} of ${served.length} lost by two kills`,
  );
  expect(checkQuota(await servedOf('alpha'), { limit: QUOTA, used: usedOfAlpha, mayBeLost: 0 })).toEqual([]);
  expect(checkQuota(served, { limit: WIDE, used: usedOfBeta, mayBeLost: 2 * LEASE })).toEqual([]);
  expect(served.length).toBeGreaterThan(500);
});
