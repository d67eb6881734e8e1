import { afterAll, beforeAll, expect, test } from 'vitest';
import { Tenant as ConfigTenant } from '../../generated/tollgate/config/v1/config.ts';
import { Fleet } from '../support/fleet.ts';

// A tenant's first calls find no lease: all of them wait for the first one, and none is refused for that.

const TENANTS = 40;
const AT_ONCE = 50;
let fleet: Fleet;

beforeAll(async () => {
  fleet = await Fleet.start({
    gateways: 1,
    edit: (config) => {
      config.plans[0]!.quotas = [];
      config.tenants = Array.from({ length: TENANTS }, (_, index) => {
        return ConfigTenant.fromPartial({ id: `tenant-${index}`, plan: 'wide' });
      });
    },
  });
});
afterAll(() => fleet?.dispose());

test('many first calls at once are all admitted', async () => {
  const loads = Array.from({ length: TENANTS }, (_, index) => fleet.load(0, fleet.key(`tenant-${index}`)));
  await loads[0]!.call();
  for (const some of [loads.slice(0, 10), loads.slice(10)]) {
    const calls = some.flatMap((load) => Array.from({ length: AT_ONCE }, () => load.call()));
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect(statuses.filter((status) => status !== 0)).toEqual([]);
  }
});
