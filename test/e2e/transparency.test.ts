import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { credentials, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClientTls, ServerTls } from '../../generated/tollgate/config/v1/config.ts';
import type { CallKind } from '../../src/contracts/method-entry.ts';
import { EverythingBackend, type SeenCall } from '../support/everything-backend.ts';
import { METHOD_OF_KIND } from '../support/everything-methods.ts';
import { type CallOptions, GrpcClient, type Observation, type WireMetadata } from '../support/grpc-client.ts';
import { TLS_CERT, TLS_KEY } from '../support/test-config.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

// A call through the gateway must give what a direct call gives. Each case is run both ways and the two are compared: what
// the client got, and what the backend saw.

/** What the gateway itself adds, drops or counts down on the way to the backend, or what differs from call to call. */
const OURS = ['authorization', 'x-tenant-id', 'x-principal-id', 'x-request-id', 'grpc-timeout', 'traceparent', 'date'];

interface Comparable {
  readonly observed: Observation;
  readonly seen: SeenCall;
}

type Way = (client: GrpcClient, backend: EverythingBackend, kind: CallKind) => Promise<Comparable>;

const DETAILS = Buffer.from('0805120a6e6f7420746865726521', 'hex').toString('base64');
const METADATA = {
  'x-text': 'a b;c',
  'x-many': ['one', 'two'],
  'x-bytes-bin': Buffer.from([0, 255, 10, 13]).toString('base64'),
};
const MIB = Buffer.alloc(1024 * 1024, 'm');

/** A call that ends by itself. */
const call =
  (options: CallOptions): Way =>
  async (client, backend, kind) => {
    const observed = await client.call(METHOD_OF_KIND[kind], options);
    return { observed, seen: backend.last };
  };

/** A call that is cancelled or expires: the backend must see that, too. */
const broken =
  (options: CallOptions): Way =>
  async (client, backend, kind) => {
    const before = backend.count();
    const observed = await client.call(METHOD_OF_KIND[kind], options);
    await backend.watch.until(() => backend.count() > before && backend.last.cancelled);
    // The texts of these are the client's own, with times in them; whether the backend's answer to an expired deadline still
    // comes in time to be seen is a matter of luck.
    return { observed: { ...observed, details: '', trailers: {} }, seen: backend.last };
  };

const CASES: Readonly<Record<string, Way>> = {
  'OK, with metadata and trailers both ways': call({
    metadata: METADATA,
    script: { headers: { 'x-head': 'h', 'x-head-bin': 'AAECAw==' }, trailers: { 'x-tail': 't', 'x-tail-bin': '/w==' } },
  }),
  'an error of the application, with details': call({
    script: {
      headers: { a: 'b' },
      code: 5,
      details: 'nö such 100 %',
      trailers: { 'grpc-status-details-bin': DETAILS },
    },
  }),
  'an error without messages (trailers only)': call({ script: { messages: 0, code: 9, details: 'not now' } }),
  'CANCELLED by the application': call({ script: { code: 1, details: 'I will not' } }),
  'an empty message': call({ messages: [Buffer.alloc(0)] }),
  'messages of 1 MiB': call({ messages: [MIB], script: { size: MIB.length } }),
  'a deadline that holds': call({ timeoutMs: 10_000 }),
  'a deadline that expires before the headers': broken({ script: { hang: 'before-headers' }, timeoutMs: 80 }),
  'a deadline that expires after the headers': broken({ script: { hang: 'after-headers' }, timeoutMs: 80 }),
  'a cancellation by the client after the headers': broken({
    script: { hang: 'after-headers' },
    onHeaders: (running) => running.cancel(),
  }),
  'a cancellation by the client before the headers': async (client, backend, kind) => {
    const before = backend.count();
    const options: CallOptions = {
      script: { hang: 'before-headers' },
      onCall: (running) => void backend.watch.until(() => backend.count() > before).then(() => running.cancel()),
    };
    return broken(options)(client, backend, kind);
  },
};

const STREAMING_CASES: Readonly<Record<string, { kinds: readonly CallKind[]; way: Way }>> = {
  '2,000 messages from the backend': {
    kinds: ['server_stream', 'bidi_stream'],
    way: call({ script: { messages: 2_000, size: 100 } }),
  },
  '2,000 messages to the backend': {
    kinds: ['client_stream', 'bidi_stream'],
    way: call({ messages: Array.from({ length: 2_000 }, (_, i) => Buffer.from(`message ${i}`)) }),
  },
  '20 messages of 1 MiB': {
    kinds: ['bidi_stream'],
    way: call({ messages: Array.from({ length: 20 }, () => MIB) }),
  },
  'no message at all': { kinds: ['server_stream', 'bidi_stream'], way: call({ script: { messages: 0 } }) },
  'a request without messages': { kinds: ['client_stream', 'bidi_stream'], way: call({ messages: [] }) },
  'an error after some messages': {
    kinds: ['server_stream', 'bidi_stream'],
    way: call({ script: { messages: 3, code: 8, details: 'enough' } }),
  },
  'an answer before the half-close': {
    kinds: ['client_stream', 'bidi_stream'],
    way: async (client, backend, kind) => {
      const observed = await client.call(METHOD_OF_KIND[kind], {
        keepOpen: true,
        script: { early: true, messages: 2 },
      });
      // Whether the backend still hears of the client's end is a matter of time.
      return { observed, seen: { ...backend.last, halfClosed: false, cancelled: false } };
    },
  },
  'a cancellation by the client between messages': {
    kinds: ['server_stream', 'bidi_stream'],
    way: broken({
      script: { hang: 'after-messages', messages: 3, size: 10 },
      onMessage: (running, count) => void (count === 3 && running.cancel()),
    }),
  },
  'a half-close that comes long after the messages': {
    kinds: ['client_stream', 'bidi_stream'],
    way: async (client, backend, kind) => {
      const before = backend.count();
      const observed = await client.call(METHOD_OF_KIND[kind], {
        keepOpen: true,
        onCall: (running) =>
          void backend.watch
            .until(() => backend.count() > before && backend.last.messages === 1)
            .then(() => {
              expect(backend.last.halfClosed).toBe(false);
              running.end?.();
            }),
      });
      expect(backend.last.halfClosed).toBe(true);
      return { observed, seen: backend.last };
    },
  },
};

const plain = new EverythingBackend();
const overTls = new EverythingBackend();
let toPlain: TestGateway;
let toTls: TestGateway;
const clients: GrpcClient[] = [];
/** By name: the client of that way, the direct one beside it, and the backend. */
const ways = new Map<string, { through: GrpcClient; direct: GrpcClient; backend: EverythingBackend }>();

const clientTls = () => credentials.createSsl(readFileSync(TLS_CERT));
const NAME = { 'grpc.ssl_target_name_override': 'localhost' };

beforeAll(async () => {
  await plain.start();
  const pair = { cert_chain: readFileSync(TLS_CERT), private_key: readFileSync(TLS_KEY) };
  await overTls.start(ServerCredentials.createSsl(null, [pair]));
  toPlain = await startTestGateway({
    backend: plain.address,
    edit: (config) => {
      const tls = ServerTls.fromPartial({ cert: TLS_CERT, key: TLS_KEY });
      config.listeners.push({ ...config.listeners[0]!, name: 'secure', tls });
    },
  });
  toTls = await startTestGateway({
    backend: overTls.address,
    edit: (config) => {
      config.backends[0]!.tls = ClientTls.fromPartial({ ca: TLS_CERT, serverName: 'localhost' });
    },
  });
  const key = toPlain.key('alpha');
  const direct = new GrpcClient(plain.address, key);
  const directTls = new GrpcClient(overTls.address, toTls.key('alpha'), clientTls(), NAME);
  const h2c = new GrpcClient(`127.0.0.1:${toPlain.public}`, key);
  const tls = new GrpcClient(`127.0.0.1:${toPlain.port('secure')}`, key, clientTls(), NAME);
  const h2cToTls = new GrpcClient(`127.0.0.1:${toTls.public}`, toTls.key('alpha'));
  clients.push(direct, directTls, h2c, tls, h2cToTls);
  ways.set('h2c to h2c', { through: h2c, direct, backend: plain });
  ways.set('TLS to h2c', { through: tls, direct, backend: plain });
  ways.set('h2c to TLS', { through: h2cToTls, direct: directTls, backend: overTls });
});

afterAll(async () => {
  for (const client of clients) client.close();
  await Promise.all([toPlain?.stop(), toTls?.stop()]);
  plain.stop();
  overTls.stop();
});

/** Runs a case both ways and holds the one against the other. */
async function compare(wayName: string, kind: CallKind, way: Way): Promise<void> {
  const { through, direct, backend } = ways.get(wayName)!;
  const expected = await way(direct, backend, kind);
  const actual = await way(through, backend, kind);
  expect(withoutOurs(actual)).toEqual(withoutOurs(expected));
}

function withoutOurs({ observed, seen }: Comparable): unknown {
  const { headers, trailers, messages, ...rest } = observed;
  // Hashed: a difference of megabytes is neither quick to find nor good to read.
  const hash = createHash('sha256');
  for (const message of messages) hash.update(`${message.length}:`).update(message);
  return {
    observed: {
      ...rest,
      messages: messages.length,
      sha256: hash.digest('hex'),
      headers: without(headers),
      trailers: without(trailers),
    },
    seen: { ...seen, metadata: without(seen.metadata) },
  };
}

const without = (metadata: WireMetadata): WireMetadata =>
  Object.fromEntries(Object.entries(metadata).filter(([name]) => !OURS.includes(name)));

describe.each(['h2c to h2c', 'TLS to h2c', 'h2c to TLS'])('%s gives what a direct call gives', (way) => {
  describe.each(Object.keys(METHOD_OF_KIND) as CallKind[])('%s', (kind) => {
    test.each(Object.entries(CASES))('%s', async (_name, run) => {
      await compare(way, kind, run);
    });
    const streaming = Object.entries(STREAMING_CASES).filter(([, { kinds }]) => kinds.includes(kind));
    if (streaming.length > 0) {
      test.each(streaming)('%s', async (_name, { way: run }) => {
        await compare(way, kind, run);
      });
    }
  });
});

test("a method's max_deadline ends a call whose client would have waited longer", async () => {
  const { through, backend } = ways.get('h2c to h2c')!;
  const observed = await through.call('Brief', { script: { hang: 'before-headers' }, timeoutMs: 20_000 });
  expect(observed.code).toBe(4);
  await backend.watch.until(() => backend.last.cancelled);
});
