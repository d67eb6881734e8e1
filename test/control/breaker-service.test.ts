import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Breaker_State as State, BreakerServiceService as service } from '../../generated/tollgate/admin/v1/breaker.ts';
import { type BreakerAdmin, LocalBreakers } from '../../src/breaker/breaker-admin.ts';
import { runCli } from '../cli/fake-io.ts';
import { readDetails } from './details.ts';
import { type ControlFixture, startFixture } from './fixture.ts';
import { noTenants } from './no-tenants.ts';

describe('on a gateway that stands alone', () => {
  const breakers = new LocalBreakers(() => performance.now());
  const breaker = breakers.open('shop', { openForMs: 2500 });
  let fixture: ControlFixture;
  beforeAll(async () => {
    fixture = await startFixture({ tenants: noTenants(), breakers });
  });
  afterAll(() => fixture.stop());

  const admin = (...args: string[]) =>
    runCli([...args, '--address', fixture.ownerAddress], { TOLLGATE_ADMIN_KEY: 'tg_admin_x_y' });

  test('breakers are listed, isolated and reset, and the change is logged with who made it', async () => {
    const closed = { backend: 'shop', state: State.STATE_CLOSED, localState: State.STATE_CLOSED, storeSilent: false };
    expect(await fixture.call(service.listBreakers, {})).toMatchObject({ breakers: [{ ...closed, gateways: [] }] });
    expect(await fixture.call(service.isolate, { backend: 'shop' })).toMatchObject({ state: State.STATE_ISOLATED });
    expect(breaker.acquire()).toBe(2500);
    expect(await fixture.call(service.reset, { backend: 'shop' })).toMatchObject(closed);
    expect(typeof breaker.acquire()).toBe('object');
    expect(fixture.log.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ level: 'warn', backend: 'shop', change: 'isolate', principal: 'key1' }),
    );
  });

  test('backends that are not there are not found, and a name is needed', async () => {
    for (const method of [service.isolate, service.reset]) {
      const unknown = await fixture.failure(method, { backend: 'nobody' });
      expect(unknown.code).toBe(5);
      expect(readDetails(unknown.metadata).info).toMatchObject({
        reason: 'NOT_FOUND',
        metadata: { backend: 'nobody' },
      });
      expect((await fixture.failure(method, { backend: '' })).code).toBe(3);
    }
  });

  test('the command line: list, isolate, reset', async () => {
    expect((await admin('breakers', 'isolate', 'shop')).out).toMatch(
      /^backend: +shop\nstate: +isolated\nhere: +open\nretry after: -\nprobes: +0\ngateways: +-\n$/,
    );
    expect((await admin('breakers', 'list')).out).toMatch(/^BACKEND +STATE +HERE .*\nshop +isolated +open /);
    expect((await admin('breakers', 'reset', 'shop')).out).toMatch(/state: +closed/);
    const { out } = await admin('breakers', 'list', '--output', 'json');
    expect(JSON.parse(out)).toMatchObject([{ backend: 'shop', state: 'STATE_CLOSED' }]);
    expect(await admin('breakers', 'reset', 'nobody')).toMatchObject({ code: 3, out: '' });
  });
});

describe('on a gateway in a fleet', () => {
  test('what the others see is shown, and a store that does not answer is told without its errors', async () => {
    const silent = () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1'));
    const breakers: BreakerAdmin = {
      list: async () => [
        {
          backend: 'shop',
          phase: 'half_open',
          local: 'closed',
          retryAfterMs: 1500,
          probes: 2,
          storeSilent: true,
          gateways: [{ gateway: 'g1', state: 'open', calls: 9, failures: 8, openedAgoMs: 1000 }],
        },
      ],
      isolate: silent,
      reset: silent,
    };
    const fixture = await startFixture({ tenants: noTenants(), breakers });
    try {
      const { breakers: list } = await fixture.call(service.listBreakers, {});
      expect(list).toEqual([
        {
          backend: 'shop',
          state: State.STATE_HALF_OPEN,
          localState: State.STATE_CLOSED,
          retryAfter: { seconds: 1, nanos: 500_000_000 },
          probes: 2,
          storeSilent: true,
          gateways: [{ gateway: 'g1', state: State.STATE_OPEN, calls: 9, failures: 8, openTime: expect.any(Date) }],
        },
      ]);
      const { out } = await runCli(['breakers', 'list', '--address', fixture.ownerAddress, '--key', 'k']);
      expect(out).toMatch(/shop +half-open \(store silent\) +closed +1.5 s +2 +g1 open \(8 of 9 failed\)/);
      const error = await fixture.failure(service.isolate, { backend: 'shop' });
      expect([error.code, readDetails(error.metadata).info?.reason]).toEqual([14, 'STORE_SILENT']);
      expect(error.details).not.toContain('10.0.0.1');
    } finally {
      await fixture.stop();
    }
  });
});
