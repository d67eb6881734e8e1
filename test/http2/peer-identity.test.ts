import { once } from 'node:events';
import http2 from 'node:http2';
import type { SecureVersion } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { startEcho } from '../../bench/micro/echo-backend.ts';
import { type ConnectionInfo, Listener, type ListenerOptions, NameTable } from '../../src/http2/index.ts';
import { parseSubjectAltName } from '../../src/http2/peer-identity.ts';
import { AUTHORITY_PEM, PAIRS } from '../support/tls-files.ts';
import { connectTcp } from '../support/tls-peer.ts';
import { block } from './support.ts';

const names = new NameTable();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A listener that remembers what it knows of who called. */
async function listen(tls: ListenerOptions['tls']) {
  const seen: (ConnectionInfo | undefined)[] = [];
  const listener = await Listener.listen({
    names,
    tls: { ...PAIRS.gateway.pem, ca: AUTHORITY_PEM, ...tls },
    onRequest: (stream) => {
      seen.push(stream.connection);
      stream.sendHeaders(block({ ':status': '204' }), undefined, true);
      return stream.handler;
    },
  });
  closers.push(() => listener.close(0));
  return { seen, port: listener.address.port };
}

async function call(port: number, options: http2.SecureClientSessionOptions): Promise<void> {
  const session = http2.connect(`https://localhost:${port}`, { ca: AUTHORITY_PEM, ...options });
  closers.push(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  stream.resume();
  await once(stream, 'close');
}

describe('the identity of a peer', () => {
  const own = PAIRS.client.pem;
  const mutual = { requestCert: true, rejectUnauthorized: true };

  it.each(['TLSv1.2', 'TLSv1.3'] satisfies SecureVersion[])(
    'is what its verified certificate says, over %s',
    async (v) => {
      const { seen, port } = await listen(mutual);
      await call(port, { ...own, minVersion: v, maxVersion: v });
      expect(seen[0]?.peerIdentity).toMatchObject({
        uris: ['spiffe://tollgate.test/ns/shop/sa/web'],
        dnsNames: ['web.shop.test'],
        commonName: 'client',
      });
      expect(seen[0]?.peerIdentity?.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    },
  );

  it('is unknown where no certificate was asked for, or none given', async () => {
    for (const tls of [{}, { requestCert: true, rejectUnauthorized: false }]) {
      const { seen, port } = await listen(tls);
      await call(port, 'requestCert' in tls ? {} : own);
      expect(seen).toHaveLength(1);
      expect(seen[0]?.peerIdentity).toBeUndefined();
    }
  });

  it('survives the resumption of a session', async () => {
    const { seen, port } = await listen(mutual);
    const first = http2.connect(`https://localhost:${port}`, { ca: AUTHORITY_PEM, ...own });
    closers.push(() => first.destroy());
    const [session] = await once(first.socket, 'session');
    await call(port, { ...own, session });
    expect(seen.at(-1)?.peerIdentity?.uris).toEqual(['spiffe://tollgate.test/ns/shop/sa/web']);
  });

  it.each([
    ['DNS:a.test, URI:spiffe://x/y, IP Address:127.0.0.1', ['DNS a.test', 'URI spiffe://x/y', 'IP Address 127.0.0.1']],
    ['URI:"spiffe://x/y, DNS:admin.test", DNS:b.test', ['URI spiffe://x/y, DNS:admin.test', 'DNS b.test']],
    ['DNS:"a\\u0000.test"', ['DNS a\u0000.test']],
    ['', []],
  ])('is read from %s without being split', (text, expected) => {
    expect(parseSubjectAltName(text).map(([kind, name]) => `${kind} ${name}`)).toEqual(expected);
  });
});

it('a TLS handshake that does not go on is ended', async () => {
  const listener = await startEcho(names, 0, { tls: { ...PAIRS.gateway.pem, handshakeTimeout: 50 } });
  closers.push(() => listener.close(0));
  const socket = await connectTcp(listener.address.port);
  socket.on('error', () => {});
  socket.write(Buffer.from([0x16, 3, 1]));
  socket.resume();
  await once(socket, 'close');
});
