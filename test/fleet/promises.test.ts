import { afterAll, beforeAll } from 'vitest';
import { Plan_WhenStoreSilent, Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { type Config, Tenant as ConfigTenant } from '../../generated/tollgate/config/v1/config.ts';
import { Fleet } from '../support/fleet.ts';
import { editBreakers, testBreakers } from './breakers.ts';
import { testChanges } from './changing.ts';
import { LIMIT, testLimits } from './limits.ts';
import { NARROW, STRICT, testQuotas, WIDE } from './quota.ts';
import { testRevoking } from './revoking.ts';

// What a fleet of four promises (docs/fleet.md), counted at the backend: one fleet for all, for gateways take time to start.

let fleet: Fleet;

function edit(config: Config): void {
  const [plain] = config.plans;
  const units = { metric: 'units', period: Quota_Period.PERIOD_DAY, timeZone: 'UTC', anchor: 0 };
  config.plans = [
    plain!,
    { ...plain!, name: 'limited', limits: [{ name: 'calls', ...LIMIT }] },
    { ...plain!, name: 'narrow', quotas: [{ ...units, limit: NARROW }] },
    {
      ...plain!,
      name: 'strict',
      quotas: [{ ...units, limit: STRICT }],
      whenStoreSilent: Plan_WhenStoreSilent.WHEN_STORE_SILENT_CLOSED,
    },
    { ...plain!, name: 'counted', quotas: [{ ...units, limit: WIDE }] },
  ];
  config.tenants = ['limited', 'narrow', 'strict', 'counted', 'beta'].map((id) => {
    return ConfigTenant.fromPartial({ id, plan: id === 'beta' ? 'wide' : id, displayName: '' });
  });
  editBreakers(config);
}

beforeAll(async () => {
  fleet = await Fleet.start({ gateways: 4, edit });
});
afterAll(() => fleet?.dispose());

testLimits(() => fleet);
testRevoking(() => fleet);
testChanges(() => fleet);
testBreakers(() => fleet);
testQuotas(() => fleet);
