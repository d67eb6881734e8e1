import type { ClientReadableStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../generated/grpc/health/v1/health.ts';
import { buildContract } from '../../src/contracts/contract.ts';
import { Health } from '../../src/control/health.ts';
import { type ControlFixture, startFixture } from './fixture.ts';
import { noTenants } from './no-tenants.ts';
import { shopDescriptors } from './shop-descriptors.ts';

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = ServingStatus;

let fixture: ControlFixture;
beforeEach(async () => {
  const shop = buildContract({ name: 'shop', backend: 'shop', descriptorSet: shopDescriptors() });
  fixture = await startFixture({ tenants: noTenants(), contracts: [shop] });
});
afterEach(() => fixture.stop());

const check = (service: string) => fixture.call(HealthService.check, { service });

function watch(service: string): { stream: ClientReadableStream<HealthCheckResponse>; next(): Promise<number> } {
  const { path, requestSerialize, responseDeserialize } = HealthService.watch;
  const request: HealthCheckRequest = { service };
  const stream = fixture.client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    fixture.metadata(),
  );
  stream.on('error', () => {});
  const responses = stream[Symbol.asyncIterator]();
  return { stream, next: async () => (await responses.next()).value?.status };
}

test('the gateway as a whole, and each service of the listener, is serving', async () => {
  expect(await check('')).toEqual({ status: SERVING });
  expect(await check('tollgate.admin.v1.TenantService')).toEqual({ status: SERVING });
  expect(await check('grpc.health.v1.Health')).toEqual({ status: SERVING });
});

test('a service that the listener does not show is not found, like one that is not there', async () => {
  const hidden = await fixture.failure(HealthService.check, { service: 'shop.v1.ShopService' });
  const absent = await fixture.failure(HealthService.check, { service: 'no.Such' });
  expect([hidden.code, hidden.details]).toEqual([5, 'no service of that name is served here']);
  expect([absent.code, absent.details]).toEqual([hidden.code, hidden.details]);
});

test('a service can be down by itself', async () => {
  fixture.health.set('tollgate.admin.v1.PlanService', false);
  expect(await check('tollgate.admin.v1.PlanService')).toEqual({ status: NOT_SERVING });
  expect(await check('')).toEqual({ status: SERVING });
  fixture.health.set('tollgate.admin.v1.PlanService', true);
  expect(await check('tollgate.admin.v1.PlanService')).toEqual({ status: SERVING });
});

test('a watch tells what is now, and every change', async () => {
  const { next } = watch('');
  expect(await next()).toBe(SERVING);
  fixture.health.set('', false);
  expect(await next()).toBe(NOT_SERVING);
  fixture.health.set('', true);
  expect(await next()).toBe(SERVING);
});

test('draining tells those who watch, and ends their watches', async () => {
  const { next } = watch('');
  const unknown = watch('no.Such');
  expect([await next(), await unknown.next()]).toEqual([SERVING, SERVICE_UNKNOWN]);
  fixture.health.drain();
  expect([await next(), await next()]).toEqual([NOT_SERVING, undefined]);
  expect(await unknown.next()).toBeUndefined();
});

test('the watch of an unknown service says so and stays open', async () => {
  const { next, stream } = watch('no.Such');
  expect(await next()).toBe(SERVICE_UNKNOWN);
  expect(stream.destroyed).toBe(false);
});

test('a watch that is cancelled is forgotten', async () => {
  const { next, stream } = watch('');
  await next();
  expect(fixture.health.watches).toBe(1);
  stream.cancel();
  // A later call on the same connection: the cancellation was handled before it is answered.
  while (fixture.health.watches > 0) await check('');
  expect(fixture.health.watches).toBe(0);
});

test('the thousand and first watch is refused', async () => {
  for (let i = 0; i < 1000; i++) fixture.health.watch('', () => {});
  const { stream } = watch('');
  const error = await new Promise<{ code?: number }>((resolve) => stream.on('error', resolve));
  expect(error.code).toBe(8);
});

test('stopping says NOT_SERVING to those who watch, and removes the socket', async () => {
  const { next } = watch('');
  expect(await next()).toBe(SERVING);
  const stopped = fixture.server.stop(5000);
  expect(await next()).toBe(NOT_SERVING);
  fixture.client.close();
  await fixture.server.stop();
  await stopped;
});

test('what drains is not serving whatever is said later', () => {
  const health = new Health();
  const heard: boolean[][] = [];
  health.watch('a', (serving, last) => heard.push([serving, last]));
  health.set('a', false);
  health.set('a', false);
  health.set('b', false);
  health.drain();
  health.drain();
  health.set('a', true);
  expect(heard).toEqual([
    [false, false],
    [false, true],
  ]);
  expect(health.isServing('a')).toBe(false);
  expect(health.isServing('')).toBe(false);
});
