import { afterEach, expect, test } from 'vitest';
import { FleetServiceService as service } from '../../generated/tollgate/admin/v1/fleet.ts';
import type { FleetView, GatewayEntry } from '../../src/store/redis/gateways.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { runCli } from '../cli/fake-io.ts';
import { type ControlFixture, startFixture } from './fixture.ts';
import { openTenants } from './open-tenants.ts';

let stop: (() => Promise<void>) | undefined;
afterEach(() => stop?.());

const gateway = (id: string, version: number, alive = true): GatewayEntry => ({
  id,
  address: `10.0.0.1:${id}`,
  version,
  seenMsAgo: alive ? 10 : 60_000,
  alive,
});

/** A control server over a fleet that is as `look` says. */
async function open(look: (times: number) => GatewayEntry[]): Promise<ControlFixture> {
  const opened = await openTenants();
  let times = 0;
  const view = async (): Promise<FleetView> => ({ version: 7, nonce: 'n', gateways: look(++times) });
  const fixture = await startFixture({ ...opened, fleet: { view, restore: async () => true } });
  stop = async () => {
    await fixture.stop();
    await opened.close();
  };
  return fixture;
}

const cli = (fixture: ControlFixture, ...args: string[]) =>
  runCli([...args, '--address', fixture.ownerAddress], { TOLLGATE_ADMIN_KEY: 'tg_admin_x_y' });

test('waits until every gateway has the version', async () => {
  const fixture = await open((times) => [gateway('a', 7), gateway('b', times < 3 ? 6 : 7)]);
  const answer = await fixture.call(service.waitForVersion, { version: 0, timeout: undefined });
  expect(answer).toEqual({ reached: true, version: 7, missing: [] });
});

test('names at once a gateway that is not alive, and after the timeout one that is', async () => {
  const dead = await open(() => [gateway('a', 7), gateway('dead', 3, false)]);
  const answer = await dead.call(service.waitForVersion, { version: 0, timeout: { seconds: 9, nanos: 0 } });
  expect(answer).toMatchObject({ reached: false, missing: [{ id: 'dead', alive: false, version: 3 }] });
  await stop?.();
  const slow = await open(() => [gateway('a', 7), gateway('slow', 6)]);
  const later = await slow.call(service.waitForVersion, { version: 7, timeout: { seconds: 0, nanos: 50_000_000 } });
  expect(later).toMatchObject({ reached: false, missing: [{ id: 'slow', alive: true }] });
});

test('says that the store is not available, and not why', async () => {
  const fixture = await open(() => {
    throw new StoreUnavailable(new Error('ECONNREFUSED 10.1.2.3'));
  });
  const error = await fixture.failure(service.listGateways, {});
  expect(error.code).toBe(14);
  expect(error.message).not.toContain('10.1.2.3');
});

test('tollgate gateways list and restore, keys delete --wait', async () => {
  const fixture = await open(() => [gateway('a', 7), gateway('gone', 3, false)]);
  expect((await cli(fixture, 'gateways', 'list')).out).toMatch(/gone +10\.0\.0\.1:gone +3 +not seen/);
  expect(await cli(fixture, 'gateways', 'restore')).toMatchObject({
    code: 0,
    err: expect.stringContaining('Restored'),
  });
  await cli(fixture, 'plans', 'create', 'free');
  await cli(fixture, 'tenants', 'create', 'acme', '--plan', 'free');
  await cli(fixture, 'keys', 'create', '--tenant', 'acme', '--name', 'ci');
  const list: unknown = JSON.parse((await cli(fixture, 'keys', 'list', '--output', 'json')).out);
  const id = /"id":"([^"]+)"/.exec(JSON.stringify(list))?.[1] ?? '';
  const deleted = await cli(fixture, 'keys', 'delete', id, '--wait');
  expect(deleted.code).toBe(1);
  expect(deleted.err).toContain(`Revoked key ${id}.`);
  expect(deleted.err).toContain('gone (10.0.0.1:gone), last seen');
});
