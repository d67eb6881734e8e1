import { credentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HealthClient } from '../../generated/grpc/health/v1/health.ts';
import { Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { ServerTls } from '../../generated/tollgate/config/v1/config.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { everythingPath } from '../support/everything-methods.ts';
import { GatewayProcess, type LaunchOptions } from '../support/gateway-process.ts';
import { type ClientCall, GrpcClient } from '../support/grpc-client.ts';
import { SteadyClient } from '../support/steady-client.ts';
import { AUTHORITY_PEM, PAIRS } from '../support/tls-files.ts';
import { refusalOf } from './refusal-of.ts';

// A real process, told to stop while it is busy: no call that could have ended may fail.

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

let backend: EverythingBackend;
beforeEach(async () => {
  backend = await new EverythingBackend().start();
  closers.push(() => backend.stop());
});

async function start(
  launch: LaunchOptions,
  edit?: Parameters<typeof GatewayProcess.start>[0]['edit'],
): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start({ backend: backend.address, edit }, launch);
  closers.push(() => gateway.dispose());
  return gateway;
}

function client(gateway: GatewayProcess): GrpcClient {
  const made = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.config.key('alpha'), undefined, {
    'grpc.enable_retries': 0,
  });
  closers.push(() => made.close());
  return made;
}

/** Busy clients of each of these, with so many calls at once. */
function press(gateway: GatewayProcess, clients: readonly SteadyClient[], atOnce = 20): Promise<unknown> {
  return Promise.all(clients.map((one) => one.run(everythingPath('Unary'), gateway.config.key('alpha'), atOnce)));
}

const total = (clients: readonly SteadyClient[], fate: Parameters<SteadyClient['count']>[0]): number =>
  clients.reduce((sum, one) => sum + one.count(fate), 0);

/** All ends that are neither success nor known to be unprocessed. */
function failures(clients: readonly SteadyClient[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { fates } of clients) {
    for (const [fate, count] of fates) {
      if (fate !== status.OK && fate !== 'unprocessed' && fate !== 'gone') sum[fate] = (sum[fate] ?? 0) + count;
    }
  }
  return sum;
}

describe('SIGTERM under load', () => {
  test.each(['http', 'https'])('fails no call that could have ended, over %s', async (scheme) => {
    const gateway = await start({}, (config) => {
      const { cert, key } = PAIRS.gateway;
      if (scheme === 'https') config.listeners[0]!.tls = ServerTls.fromPartial({ cert, key });
    });
    const url = `${scheme}://localhost:${gateway.public}`;
    const clients = Array.from({ length: 4 }, () => new SteadyClient(url, { ca: AUTHORITY_PEM }));
    const pressed = press(gateway, clients);
    await backend.watch.until(() => backend.count() > 1_000);
    gateway.signal('SIGTERM');
    expect(await gateway.ended()).toBe(0);
    await pressed;
    expect(failures(clients)).toEqual({});
    // What the backend did has reached a client, and nothing else was told to be done.
    expect(total(clients, status.OK)).toBe(backend.count());
    expect(gateway.output).not.toMatch(/"level":"error"/);
  });

  test('lets calls end that run, and takes them on connections that are there, but not for ever', async () => {
    const gateway = await start({ args: ['--grace', '2'] });
    const caller = client(gateway);
    const health = watchHealth(gateway);
    expect(await health.next()).toBe('SERVING');
    const open = async (options: { hang?: 'after-headers' }) => {
      let call: ClientCall | undefined;
      const before = backend.count();
      const ended = caller.call('BidiStream', {
        keepOpen: true,
        ...(options.hang ? { script: { hang: options.hang } } : {}),
        onCall: (one) => {
          call = one;
        },
      });
      await backend.watch.until(() => backend.count() > before);
      return { ended, call: call! };
    };
    const finishing = await open({});
    const endless = await open({ hang: 'after-headers' });
    const silent = caller.call('Unary', { script: { hang: 'before-headers' } });
    await backend.watch.until(() => backend.count() === 3);

    gateway.signal('SIGTERM');
    expect(await health.next()).toBe('NOT_SERVING');
    finishing.call.write?.(Buffer.from('more'));
    finishing.call.end?.();
    const finished = await finishing.ended;
    expect([finished.code, finished.messages.length]).toEqual([status.OK, 2]);

    for (const ended of [await endless.ended, await silent]) {
      const refusal = refusalOf(ended);
      expect(refusal).toMatchObject({ code: status.UNAVAILABLE, reason: 'GATEWAY_DRAINING', pushbackMs: 0 });
    }
    expect((await endless.ended).headers['content-type']).toBe('application/grpc+proto');
    await backend.watch.until(() => backend.calls.slice(1).every(({ cancelled }) => cancelled));
    expect(await gateway.ended()).toBe(0);
  });

  test('takes calls as before for as long as load balancers need to notice', async () => {
    const gateway = await start({ args: ['--notice', '1'] });
    const health = watchHealth(gateway);
    expect(await health.next()).toBe('SERVING');
    gateway.signal('SIGTERM');
    expect(await health.next()).toBe('NOT_SERVING');
    expect((await client(gateway).call('Unary')).code).toBe(status.OK);
    expect(await gateway.ended()).toBe(0);
  });
});

test('units of a quota that were reserved and not used are given back at the stop', async () => {
  const LIMIT = 500;
  const gateway = await start({}, (config) => {
    const period = Quota_Period.PERIOD_MONTH;
    config.plans[0]!.quotas = [{ metric: 'units', limit: LIMIT, period, timeZone: 'UTC', anchor: 0 }];
  });
  const call = async (calls: number): Promise<number[]> => {
    const caller = client(gateway);
    const made = await Promise.all(Array.from({ length: calls }, () => caller.call('Unary')));
    return made.map(({ code }) => code);
  };
  const first = await call(7);
  gateway.signal('SIGTERM');
  expect(await gateway.ended()).toBe(0);
  await gateway.start();
  const codes = [...first, ...(await call(LIMIT - 7)), ...(await call(1))];
  expect(codes.indexOf(status.RESOURCE_EXHAUSTED)).toBe(LIMIT);
  expect(codes.filter((code) => code === status.OK)).toHaveLength(LIMIT);
});

test('connections of a certain age are replaced without a failed call', async () => {
  const gateway = await start({}, (config) => {
    config.listeners[0]!.maxConnectionAge = { seconds: 1, nanos: 0 };
  });
  const clients = Array.from({ length: 3 }, () => new SteadyClient(`http://localhost:${gateway.public}`));
  // Few: what is made besides takes the time in which connections come of age.
  const pressed = press(gateway, clients, 3);
  await backend.watch.until(() => clients.every(({ connections }) => connections >= 3));
  for (const one of clients) one.stop();
  await pressed;
  expect(failures(clients)).toEqual({});
  expect(total(clients, status.OK)).toBe(backend.count());
});

test('SIGHUP takes certificates anew, and ends nothing', async () => {
  const gateway = await start({}, (config) => {
    const { cert, key } = PAIRS.gateway;
    config.listeners[0]!.tls = ServerTls.fromPartial({ cert, key });
    config.telemetry = { logLevel: 'info', otlp: undefined };
  });
  gateway.signal('SIGHUP');
  await expect.poll(() => gateway.output).toContain('certificates reloaded');
  expect(gateway.running).toBe(true);
});

/** The gateway's health, as a load balancer watches it. */
function watchHealth(gateway: GatewayProcess): { next(): Promise<string> } {
  const health = new HealthClient(`127.0.0.1:${gateway.public}`, credentials.createInsecure());
  closers.push(() => health.close());
  const call = health.watch({ service: '' });
  call.on('error', () => {});
  call.pause();
  const iterator = call[Symbol.asyncIterator]();
  return {
    async next() {
      const { value } = await iterator.next();
      return value.status === 1 ? 'SERVING' : 'NOT_SERVING';
    },
  };
}
