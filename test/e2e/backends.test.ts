import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Backend, Breaker, type Config } from '../../generated/tollgate/config/v1/config.ts';
import { BROKEN, failing, healthy, httpStatus, mute, NONSENSE, reset, silent } from '../support/behaviours.ts';
import { Flag, headers } from '../support/frames.ts';
import { GrpcClient, type Observation } from '../support/grpc-client.ts';
import { type Behaviour, RawBackend } from '../support/raw-backend.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { type DecodedRefusal, refusalOf } from './refusal-of.ts';

// Backends that die, hang, refuse or talk nonsense: the caller gets the right status in bounded time, and the gateway lives.

/** What a call may take before it counts as hanging. It must never be what ends it, but where that is the point. */
const PATIENCE_MS = 10_000;
const { CANCELLED, DEADLINE_EXCEEDED, INTERNAL, OK, RESOURCE_EXHAUSTED, UNAVAILABLE, UNIMPLEMENTED, UNKNOWN } = status;

interface Stage {
  readonly backend: RawBackend;
  readonly gateway: TestGateway;
  readonly client: GrpcClient;
  close(): Promise<void>;
}

async function setUp(edit: (backend: Backend) => void): Promise<Stage> {
  const backend = await new RawBackend(healthy).start();
  const gateway = await startTestGateway({
    backend: backend.address,
    edit: (config: Config) => edit(config.backends[0]!),
  });
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  const close = async (): Promise<void> => {
    client.close();
    await gateway.stop();
    await backend.stop();
  };
  return { backend, gateway, client, close };
}

describe('one bad answer', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setUp((backend) => {
      // Out of the way: the breaker has its own tests below.
      backend.breaker = Breaker.fromPartial({ minCalls: 1_000_000 });
      backend.connectTimeout = { seconds: 0, nanos: 300_000_000 };
    });
  });
  afterAll(() => stage?.close());
  beforeEach(() => {
    stage.backend.behaviour = healthy;
  });
  afterEach(async () => {
    stage.backend.behaviour = healthy;
    stage.backend.dropConnections();
    await recovered(stage.client);
  });

  const call = (behaviour: Behaviour, timeoutMs = PATIENCE_MS): Promise<Observation> => {
    stage.backend.behaviour = behaviour;
    stage.backend.dropConnections();
    return stage.client.call('Unary', { timeoutMs });
  };

  /** What ends the whole connection: the call may have been processed, or not. All other nonsense is INTERNAL. */
  const ENDS_CONNECTION = new Set([
    'sends random bytes',
    'answers in HTTP/1.1',
    'sends a frame larger than allowed',
    'sends broken HPACK',
    'sends DATA on stream 0',
    'breaks a header block with another frame',
  ]);

  test.each(Object.entries(NONSENSE))('a backend that %s gives a typed error', async (name, behaviour) => {
    const refusal = refusalOf(await call(behaviour));
    const lost = ENDS_CONNECTION.has(name);
    // gRPC maps the HTTP status where the content is none of its own (http-grpc-status-mapping.md): 200 is UNKNOWN.
    const code = name === 'answers HTML with 200' ? UNKNOWN : INTERNAL;
    expect(refusal).toMatchObject({
      code: lost ? UNAVAILABLE : code,
      reason: lost ? 'BACKEND_UNAVAILABLE' : 'BACKEND_PROTOCOL_ERROR',
    });
  });

  test.each(Object.entries(BROKEN))('a backend that %s is UNAVAILABLE', async (_name, behaviour) => {
    const refusal = refusalOf(await call(behaviour));
    expect(refusal).toMatchObject({ code: UNAVAILABLE, reason: 'BACKEND_UNAVAILABLE' });
  });

  test.each([
    ['CANCEL', 8, CANCELLED],
    ['REFUSED_STREAM', 7, UNAVAILABLE],
    ['ENHANCE_YOUR_CALM', 11, RESOURCE_EXHAUSTED],
    ['INTERNAL_ERROR', 2, INTERNAL],
    ['an unknown code', 0xabcdef, INTERNAL],
  ] as const)(
    'RST_STREAM with %s has the status that gRPC gives it, whenever it comes',
    async (_name, code, expected) => {
      for (const when of [reset.beforeHeaders, reset.afterHeaders, reset.insideMessage]) {
        expect((await call(when(code))).code).toBe(expected);
      }
    },
  );

  test.each([
    ['400', INTERNAL],
    ['404', UNIMPLEMENTED],
    ['429', UNAVAILABLE],
    ['500', UNKNOWN],
    ['502', UNAVAILABLE],
    ['503', UNAVAILABLE],
    ['504', UNAVAILABLE],
  ] as const)('HTTP status %s has the status that gRPC gives it', async (http, expected) => {
    expect((await call(httpStatus(http))).code).toBe(expected);
  });

  test('a backend that never answers is DEADLINE_EXCEEDED, and hears of it', async () => {
    const before = stage.backend.resets.length;
    expect((await call(silent, 200)).code).toBe(DEADLINE_EXCEEDED);
    await stage.backend.watch.until(() => stage.backend.resets.length > before);
    expect(stage.backend.resets.at(-1)).toMatchObject({ code: 8 });
  });

  test('a backend that accepts and never says anything is UNAVAILABLE after the connect timeout', async () => {
    expect(refusalOf(await call(mute))).toMatchObject({ code: UNAVAILABLE, reason: 'BACKEND_UNAVAILABLE' });
  });

  test('what the backend got wrong is not told to the caller word for word', async () => {
    const leak: Behaviour = {
      onRequestEnd: (connection, stream) =>
        connection.send(
          headers(
            stream,
            [
              [':status', '502'],
              ['x-secret', 'hunter2'],
            ],
            Flag.END_HEADERS | Flag.END_STREAM,
          ),
        ),
    };
    const observed = await call(leak);
    expect(JSON.stringify(observed)).not.toContain('hunter2');
  });

  test('calls that run beside a broken one on other streams of the connection go on', async () => {
    let first: number | undefined;
    const others: Behaviour = {
      onRequestEnd: (connection, stream) => {
        first ??= stream;
        if (stream === first) return;
        healthy.onRequestEnd?.(connection, stream);
        // The one that came first is broken off after the second was answered.
        reset.beforeHeaders(2).onRequestEnd?.(connection, first);
      },
    };
    const broken = call(others);
    await stage.backend.watch.until(() => first !== undefined);
    expect((await stage.client.call('Unary', { timeoutMs: PATIENCE_MS })).code).toBe(OK);
    expect((await broken).code).toBe(INTERNAL);
  });
});

describe('a backend that is gone', () => {
  test('is UNAVAILABLE at once, and is found again when it is back', async () => {
    const stage = await setUp((backend) => {
      backend.breaker = Breaker.fromPartial({ minCalls: 1_000_000 });
    });
    const { port } = stage.backend;
    expect((await stage.client.call('Unary')).code).toBe(OK);
    await stage.backend.stop();
    const refusal = refusalOf(await stage.client.call('Unary', { timeoutMs: PATIENCE_MS }));
    expect(refusal).toMatchObject({ code: UNAVAILABLE, reason: 'BACKEND_UNAVAILABLE' });
    expect(refusal.retryDelayMs).toBeGreaterThan(0);
    const again = await new RawBackend(healthy).start(port);
    await recovered(stage.client);
    expect(again.requests).toBeGreaterThan(0);
    stage.client.close();
    await stage.gateway.stop();
    await again.stop();
  });

  test('does not cost a call as long as another endpoint is up', async () => {
    const spare = await new RawBackend(healthy).start();
    const stage = await setUp((backend) => {
      backend.breaker = Breaker.fromPartial({ minCalls: 1_000_000 });
      backend.endpoints.push(spare.address);
    });
    for (let i = 0; i < 20; i++) expect((await stage.client.call('Unary')).code).toBe(OK);
    expect(stage.backend.requests).toBeGreaterThan(0);
    expect(spare.requests).toBeGreaterThan(0);
    await stage.backend.stop();
    // The first few may still be given to the endpoint that died.
    const codes: number[] = [];
    for (let i = 0; i < 40; i++) codes.push((await stage.client.call('Unary', { timeoutMs: PATIENCE_MS })).code);
    expect(codes.filter((code) => code !== OK).length).toBeLessThanOrEqual(5);
    stage.client.close();
    await stage.gateway.stop();
    await spare.stop();
  });
});

describe('the breaker', () => {
  const PROBES = 2;
  let stage: Stage;
  // Long enough that it does not end while a test looks at the open breaker.
  const OPEN_FOR_MS = 1_000;
  beforeEach(async () => {
    stage = await setUp((backend) => {
      backend.breaker = Breaker.fromPartial({
        minCalls: 5,
        failureRatio: 0.5,
        window: { seconds: 10, nanos: 0 },
        openFor: { seconds: OPEN_FOR_MS / 1_000, nanos: 0 },
        probes: PROBES,
      });
    });
  });
  afterEach(() => stage.close());

  /** Calls until the breaker refuses. What hangs is ended by the gateway, not by its caller: that would be nobody's fault. */
  async function openIt(): Promise<DecodedRefusal> {
    for (let i = 0; i < 50; i++) {
      const refusal = refusalOf(await stage.client.call('Brief'));
      if (refusal.metadata.why === 'breaker_open') return refusal;
    }
    throw new Error('the breaker did not open');
  }

  test('opens after failures, keeps calls away from the backend, and closes after recovery', async () => {
    stage.backend.behaviour = failing(UNAVAILABLE);
    const refusal = await openIt();
    expect(refusal).toMatchObject({ code: UNAVAILABLE, reason: 'BACKEND_UNAVAILABLE' });
    expect(refusal.retryDelayMs).toBeGreaterThan(0);
    expect(refusal.retryDelayMs).toBeLessThanOrEqual(OPEN_FOR_MS);
    expect(stage.backend.requests).toBeGreaterThanOrEqual(5);
    const seen = stage.backend.requests;
    const codes = await Promise.all(Array.from({ length: 20 }, () => stage.client.call('Unary')));
    expect(new Set(codes.map(({ code }) => code))).toEqual(new Set([UNAVAILABLE]));
    expect(stage.backend.requests).toBe(seen);
    stage.backend.behaviour = healthy;
    await recovered(stage.client);
    for (let i = 0; i < 20; i++) expect((await stage.client.call('Unary')).code).toBe(OK);
  });

  test.each([
    ['hangs', silent],
    ['breaks off', BROKEN['closes after the headers']!],
    ['talks nonsense', NONSENSE['answers :status 800']!],
  ] as const)('opens for a backend that %s', async (_name, behaviour) => {
    stage.backend.behaviour = behaviour;
    await Promise.all(Array.from({ length: 8 }, () => stage.client.call('Brief')));
    await openIt();
  });

  test("does not open for a client's faults, nor for the gateway's own refusals", async () => {
    stage.backend.behaviour = failing(status.INVALID_ARGUMENT);
    for (let i = 0; i < 30; i++) expect((await stage.client.call('Unary')).code).toBe(status.INVALID_ARGUMENT);
    const stranger = new GrpcClient(`127.0.0.1:${stage.gateway.public}`);
    for (let i = 0; i < 30; i++) await stranger.call('Unary');
    stranger.close();
    stage.backend.behaviour = healthy;
    expect((await stage.client.call('Unary')).code).toBe(OK);
  });

  test('half open, lets as many probes through as configured and refuses the rest at once', async () => {
    stage.backend.behaviour = failing(UNAVAILABLE);
    const { retryDelayMs } = await openIt();
    const held: (() => void)[] = [];
    stage.backend.behaviour = {
      onRequestEnd: (connection, stream) => {
        held.push(() => healthy.onRequestEnd?.(connection, stream));
      },
    };
    await new Promise((resolve) => setTimeout(resolve, (retryDelayMs ?? 0) + 20));
    const before = stage.backend.requests;
    const answers = Array.from({ length: 30 }, () => stage.client.call('Unary', { timeoutMs: PATIENCE_MS }));
    let refused = 0;
    for (const answer of answers)
      void answer.then(({ code }) => {
        if (code === UNAVAILABLE) refused++;
        stage.backend.watch.changed();
      });
    await stage.backend.watch.until(() => held.length === PROBES && refused === 30 - PROBES);
    expect(stage.backend.requests - before).toBe(PROBES);
    stage.backend.behaviour = healthy;
    for (const answer of held) answer();
    const codes = (await Promise.all(answers)).map(({ code }) => code);
    expect(codes.filter((code) => code === OK)).toHaveLength(PROBES);
    await recovered(stage.client);
  });

  test('opens again when a probe fails', async () => {
    stage.backend.behaviour = failing(UNAVAILABLE);
    const { retryDelayMs } = await openIt();
    await new Promise((resolve) => setTimeout(resolve, (retryDelayMs ?? 0) + 20));
    const before = stage.backend.requests;
    await stage.client.call('Unary');
    expect(stage.backend.requests).toBe(before + 1);
    expect(refusalOf(await stage.client.call('Unary')).metadata.why).toBe('breaker_open');
    expect(stage.backend.requests).toBe(before + 1);
  });
});

/** Calls, as often as the answers say that a retry makes sense, until one is OK. The test's timeout bounds it. */
async function recovered(client: GrpcClient): Promise<void> {
  for (;;) {
    const observed = await client.call('Unary', { timeoutMs: PATIENCE_MS });
    if (observed.code === OK) return;
    const delay = Math.min(refusalOf(observed).retryDelayMs ?? 10, 100);
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
}
