import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, ServerCredentials, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ClientTls, ServerTls, ServerTls_ClientAuth } from '../../generated/tollgate/config/v1/config.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { AUTHORITY, AUTHORITY_PEM, PAIRS, type TlsPair } from '../support/tls-files.ts';
import { connectTcp, connectTls, exchangeText, nameServed } from '../support/tls-peer.ts';
import { refusalOf } from './refusal-of.ts';

const PATIENCE_MS = 10_000;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

let backend: EverythingBackend;
beforeAll(async () => {
  backend = await new EverythingBackend().start();
});
afterAll(() => backend.stop());

async function start(tls: Partial<ServerTls>): Promise<TestGateway> {
  const { cert, key } = PAIRS.gateway;
  const gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      config.listeners[0]!.tls = ServerTls.fromPartial({ cert, key, ...tls });
    },
  });
  closers.push(() => gateway.stop());
  return gateway;
}

function client(gateway: TestGateway, pair?: TlsPair): GrpcClient {
  const channel = credentials.createSsl(AUTHORITY_PEM, pair?.pem.key, pair?.pem.cert);
  const made = new GrpcClient(`localhost:${gateway.public}`, gateway.key('alpha'), channel);
  closers.push(() => made.close());
  return made;
}

describe('a listener with several certificates', () => {
  test('answers with the one whose name was asked for, and else with the first', async () => {
    const { cert, key } = PAIRS.shop;
    const gateway = await start({
      certificates: [
        { cert, key, serverNames: [] },
        { ...PAIRS.renewed, serverNames: ['own.test', '*.own.test'] },
      ],
    });
    const served = async (name: string) => [name, await nameServed(gateway.public, name)];
    for (const [name, expected] of [
      ['localhost', 'gateway'],
      ['', 'gateway'],
      ['unknown.test', 'gateway'],
      ['shop.test', 'shop'],
      ['SHOP.test', 'shop'],
      ['api.shop.test', 'shop'],
      ['a.b.shop.test', 'gateway'],
      ['own.test', 'renewed'],
      ['x.own.test', 'renewed'],
    ] as const) {
      expect(await served(name)).toEqual([name, expected]);
    }
  });

  test('speaks HTTP/2 by ALPN, over TLS 1.2 and 1.3, and nothing older', async () => {
    const gateway = await start({});
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await connectTls(gateway.public, { minVersion: version, maxVersion: version });
      expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([version, 'h2']);
      socket.destroy();
    }
    const old = connectTls(gateway.public, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' });
    await expect(old).rejects.toThrow(/protocol version|ECONNRESET/i);
    await expect(connectTls(gateway.public, { ALPNProtocols: ['spdy/3'] })).rejects.toThrow(/application protocol/);
    expect((await client(gateway).call('Unary')).code).toBe(status.OK);
  });
});

describe('certificates that are replaced', () => {
  async function withFiles() {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-tls-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    const files = { cert: join(folder, 'own.crt'), key: join(folder, 'own.key') };
    const put = (pair: TlsPair) => {
      copyFileSync(pair.cert, files.cert);
      copyFileSync(pair.key, files.key);
    };
    put(PAIRS.gateway);
    const gateway = await start({ ...files, certificates: [{ ...files, serverNames: ['named.test'] }] });
    return { gateway, files, put };
  }

  test('are taken for new handshakes, while connections there are go on', async () => {
    const { gateway, put } = await withFiles();
    const caller = client(gateway);
    expect((await caller.call('Unary')).code).toBe(status.OK);
    let finish = (): void => {};
    const running = caller.call('BidiStream', {
      keepOpen: true,
      onCall: (call) => {
        finish = () => call.end?.();
      },
    });
    put(PAIRS.renewed);
    gateway.gateway.reloadCertificates();
    expect(await nameServed(gateway.public, 'localhost')).toBe('renewed');
    expect(await nameServed(gateway.public, 'named.test')).toBe('renewed');
    expect(await nameServed(gateway.public, '')).toBe('renewed');
    expect((await caller.call('Unary')).code).toBe(status.OK);
    finish();
    expect((await running).code).toBe(status.OK);
    expect((await client(gateway).call('Unary')).code).toBe(status.OK);
  });

  test.each([
    ['is no certificate', (files: TlsFiles) => writeFileSync(files.cert, 'nonsense')],
    ['does not fit the key', (files: TlsFiles) => copyFileSync(PAIRS.shop.cert, files.cert)],
    ['is gone', (files: TlsFiles) => rmSync(files.cert)],
    ['is empty', (files: TlsFiles) => writeFileSync(files.key, '')],
  ])('stay as they were when a file %s, and that is logged', async (_, spoil) => {
    const { gateway, files, put } = await withFiles();
    spoil(files);
    gateway.gateway.reloadCertificates();
    expect(await nameServed(gateway.public, 'localhost')).toBe('gateway');
    expect(await nameServed(gateway.public, 'named.test')).toBe('gateway');
    expect(gateway.logs.join('')).toContain('certificates not reloaded');
    expect(gateway.logs.join('')).not.toContain('PRIVATE KEY');
    put(PAIRS.renewed);
    gateway.gateway.reloadCertificates();
    expect(await nameServed(gateway.public, 'localhost')).toBe('renewed');
  });
});

interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

describe('client certificates', () => {
  const { CLIENT_AUTH_OPTIONAL: OPTIONAL, CLIENT_AUTH_UNSPECIFIED: UNSAID } = ServerTls_ClientAuth;

  test.each([
    ['required', UNSAID, { none: status.UNAVAILABLE, own: status.OK, stranger: status.UNAVAILABLE }],
    ['optional', OPTIONAL, { none: status.OK, own: status.OK, stranger: status.UNAVAILABLE }],
  ] as const)('%s: one of the authority is accepted, another never', async (_, clientAuth, expected) => {
    const gateway = await start({ clientCa: AUTHORITY, clientAuth });
    const before = backend.count();
    const timeoutMs = PATIENCE_MS;
    expect((await client(gateway, PAIRS.client).call('Unary', { timeoutMs })).code).toBe(expected.own);
    expect((await client(gateway).call('Unary', { timeoutMs })).code).toBe(expected.none);
    expect((await client(gateway, PAIRS.stranger).call('Unary', { timeoutMs })).code).toBe(expected.stranger);
    expect(backend.count() - before).toBe(Object.values(expected).filter((code) => code === status.OK).length);
  });

  test('that are valid do not replace the API key', async () => {
    const gateway = await start({ clientCa: AUTHORITY });
    const channel = credentials.createSsl(AUTHORITY_PEM, PAIRS.client.pem.key, PAIRS.client.pem.cert);
    const keyless = new GrpcClient(`localhost:${gateway.public}`, undefined, channel);
    closers.push(() => keyless.close());
    expect((await keyless.call('Unary')).code).toBe(status.UNAUTHENTICATED);
  });
});

describe('the wrong protocol', () => {
  test('HTTP/1.1 over TLS gets its probe, whether it was negotiated or not', async () => {
    const gateway = await start({});
    for (const ALPNProtocols of [['http/1.1'], []]) {
      const socket = await connectTls(gateway.public, { ALPNProtocols });
      expect(await exchangeText(socket, 'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n')).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    }
  });

  test('HTTP/2 over TLS without ALPN is closed', async () => {
    const gateway = await start({});
    const socket = await connectTls(gateway.public, { ALPNProtocols: [] });
    await exchangeText(socket, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  });

  test('plain text on a port of TLS is closed, and TLS on a port of plain text', async () => {
    const gateway = await start({});
    await exchangeText(await connectTcp(gateway.public), 'GET /healthz HTTP/1.1\r\n\r\n');
    await exchangeText(await connectTcp(gateway.public), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await expect(connectTls(gateway.admin)).rejects.toThrow();
    expect((await client(gateway).call('Unary')).code).toBe(status.OK);
  });
});

describe('a backend over TLS', () => {
  async function gatewayOf(address: string, tls: Partial<ClientTls>): Promise<TestGateway> {
    const gateway = await startTestGateway({
      backend: address,
      edit: (config) => {
        const [backend] = config.backends;
        backend!.tls = ClientTls.fromPartial({ ca: AUTHORITY, serverName: 'localhost', ...tls });
        backend!.connectTimeout = { seconds: 0, nanos: 500_000_000 };
      },
    });
    closers.push(() => gateway.stop());
    return gateway;
  }
  function call(gateway: TestGateway) {
    const caller = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
    closers.push(() => caller.close());
    return caller.call('Unary', { timeoutMs: PATIENCE_MS });
  }
  async function secureBackend(clientCertificates: boolean, pair: TlsPair = PAIRS.gateway) {
    const secure = new EverythingBackend();
    const { cert, key } = pair.pem;
    await secure.start(
      ServerCredentials.createSsl(AUTHORITY_PEM, [{ cert_chain: cert, private_key: key }], clientCertificates),
    );
    closers.push(() => secure.stop());
    return secure;
  }

  test('is called when its certificate holds, and sees ours when it wants one', async () => {
    expect((await call(await gatewayOf((await secureBackend(false)).address, {}))).code).toBe(status.OK);
    const { cert, key } = PAIRS.client;
    expect((await call(await gatewayOf((await secureBackend(true)).address, { cert, key }))).code).toBe(status.OK);
  });

  test.each([
    ['has a certificate of another authority', {}, PAIRS.stranger],
    ['has a certificate of another name', { serverName: 'other.test' }, PAIRS.gateway],
    ['is held against the authorities of the system', { ca: '' }, PAIRS.gateway],
  ])('that %s is UNAVAILABLE, and gets no call', async (_, tls, pair) => {
    const secure = await secureBackend(false, pair);
    const gateway = await gatewayOf(secure.address, tls);
    expect(refusalOf(await call(gateway))).toMatchObject({ code: status.UNAVAILABLE, reason: 'BACKEND_UNAVAILABLE' });
    expect(secure.count()).toBe(0);
    expect(gateway.logs.join('')).toMatch(/certificate|altnames/i);
  });

  test.each([
    ['no certificate of ours', {}],
    ["a stranger's", { cert: PAIRS.stranger.cert, key: PAIRS.stranger.key }],
  ])('that wants a client certificate and gets %s is UNAVAILABLE', async (_, tls) => {
    const secure = await secureBackend(true);
    const gateway = await gatewayOf(secure.address, tls);
    expect(refusalOf(await call(gateway))).toMatchObject({ code: status.UNAVAILABLE, reason: 'BACKEND_UNAVAILABLE' });
    expect(secure.count()).toBe(0);
  });

  test('that speaks plain text, or nothing at all, is UNAVAILABLE in time', async () => {
    const plain = await gatewayOf(backend.address, {});
    expect(refusalOf(await call(plain))).toMatchObject({ code: status.UNAVAILABLE, reason: 'BACKEND_UNAVAILABLE' });
    const mute = await startMute();
    const silent = await gatewayOf(mute.address, {});
    expect(refusalOf(await call(silent))).toMatchObject({ code: status.UNAVAILABLE, reason: 'BACKEND_UNAVAILABLE' });
  });

  test('is called with the certificate that is there after a reload', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-tls-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    const files = { cert: join(folder, 'own.crt'), key: join(folder, 'own.key') };
    copyFileSync(PAIRS.stranger.cert, files.cert);
    copyFileSync(PAIRS.stranger.key, files.key);
    const gateway = await gatewayOf((await secureBackend(true)).address, files);
    expect((await call(gateway)).code).toBe(status.UNAVAILABLE);
    copyFileSync(PAIRS.client.cert, files.cert);
    copyFileSync(PAIRS.client.key, files.key);
    gateway.gateway.reloadCertificates();
    await expect.poll(async () => (await call(gateway)).code, { timeout: PATIENCE_MS }).toBe(status.OK);
  });
});

/** Accepts connections and says nothing. */
async function startMute(): Promise<{ address: string }> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    closers.push(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  return { address: typeof address === 'object' ? `127.0.0.1:${address?.port}` : '' };
}
