import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failing, healthy, NONSENSE } from './behaviours.ts';
import { EverythingBackend } from './everything-backend.ts';
import { everythingPath, METHOD_OF_KIND } from './everything-methods.ts';
import { GrpcClient } from './grpc-client.ts';
import { H2Client } from './h2-client.ts';
import { RawBackend } from './raw-backend.ts';

describe('the everything backend', () => {
  const backend = new EverythingBackend();
  let client: GrpcClient;
  beforeAll(async () => {
    await backend.start();
    client = new GrpcClient(backend.address);
  });
  afterAll(() => {
    client.close();
    backend.stop();
  });

  describe.each(Object.values(METHOD_OF_KIND))('%s', (method) => {
    test('echoes, with the metadata of the script', async () => {
      const script = { headers: { a: 'b', 'c-bin': 'AAEC' }, trailers: { d: 'e' } };
      const seen = await client.call(method, { script });
      expect(seen).toMatchObject({ code: 0, headers: script.headers, trailers: script.trailers });
      expect(seen.messages.map(String)).toEqual(['hello']);
    });

    test('answers a status of the script', async () => {
      const seen = await client.call(method, { script: { code: 5, details: 'no', trailers: { d: 'e' } } });
      expect(seen).toMatchObject({ code: 5, details: 'no', trailers: { d: 'e' } });
    });

    test('sees a deadline and a cancellation', async () => {
      expect((await client.call(method, { script: { hang: 'after-headers' }, timeoutMs: 50 })).code).toBe(4);
      await backend.watch.until(() => backend.last.cancelled);
      const cancelled = await client.call(method, {
        script: { hang: 'after-headers' },
        onHeaders: (call) => call.cancel(),
      });
      expect(cancelled.code).toBe(1);
      await backend.watch.until(() => backend.last.cancelled);
    });
  });
});

describe('the raw backend', () => {
  const backend = new RawBackend(healthy);
  beforeAll(() => backend.start());
  afterAll(() => backend.stop());

  test('answers as a healthy backend does, to two kinds of clients', async () => {
    const client = new GrpcClient(backend.address);
    expect(await client.call('Unary')).toMatchObject({ code: 0 });
    client.close();
    const h2 = await H2Client.connect(`http://${backend.address}`);
    expect(await h2.grpc(everythingPath('Unary'), undefined)).toBe(0);
    h2.close();
  });

  test('changes its behaviour while it runs', async () => {
    const client = new GrpcClient(backend.address);
    backend.behaviour = failing(14);
    expect((await client.call('Unary')).code).toBe(14);
    backend.behaviour = NONSENSE['ends without trailers']!;
    expect((await client.call('Unary')).code).not.toBe(0);
    client.close();
  });
});
