import { constants } from 'node:http2';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { Breaker, type Retry } from '../../generated/tollgate/config/v1/config.ts';
import { AttemptsBackend, type Reaction } from '../support/attempts-backend.ts';
import type { EverythingMethod } from '../support/everything-methods.ts';
import { type CallOptions, GrpcClient, type Observation } from '../support/grpc-client.ts';
import { grpcRequest, H2Client, HELLO } from '../support/h2-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// What is tried again at a backend, how often, and what the backend sees of it (gRFC A6). Counted at the backend.

const { FAILED_PRECONDITION, OK, RESOURCE_EXHAUSTED, UNAVAILABLE } = status;
const METHODS = ['Unary', 'ServerStream', 'ClientStream', 'BidiStream'] as const;
/** What a call may take before it counts as hanging. */
const PATIENCE_MS = 20_000;
const UNAVAILABLE_NOW: Reaction = { kind: 'status', code: UNAVAILABLE };
/** Nothing listens there: port 1 needs a privilege that nobody uses. */
const DEAD = '127.0.0.1:1';

class Stage {
  readonly backend: AttemptsBackend;
  readonly gateway: TestGateway;
  readonly client: GrpcClient;

  constructor(backend: AttemptsBackend, gateway: TestGateway) {
    this.backend = backend;
    this.gateway = gateway;
    this.client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  }

  /** @param reactions of the backend to the attempts, in turn */
  call(method: EverythingMethod, reactions: readonly Reaction[], options: CallOptions = {}): Promise<Observation> {
    this.backend.attempts.length = 0;
    this.backend.script = [...reactions];
    return this.client.call(method, { timeoutMs: PATIENCE_MS, ...options });
  }
}

let stage: Stage | undefined;

interface SetUp {
  readonly retry?: Retry;
  /** Endpoints that nobody listens at. */
  readonly dead?: number;
  readonly breaker?: Partial<Breaker>;
  /** The tenant's quota. */
  readonly units?: number;
}

async function setUp(options: SetUp = {}): Promise<Stage> {
  const backend = await new AttemptsBackend().start();
  const gateway = await startTestGateway({
    backend: backend.address,
    edit: ({ backends: [backend], plans: [plan] }) => {
      plan!.quotas[0]!.limit = options.units ?? 1_000_000;
      for (let index = 0; index < (options.dead ?? 0); index++)
        backend!.endpoints.push(DEAD.replace(/1$/, `${1 + index}`));
      // Out of the way, but where it is the point.
      backend!.breaker = Breaker.fromPartial(options.breaker ?? { minCalls: 1_000_000 });
      backend!.retry = options.retry;
    },
  });
  stage = new Stage(backend, gateway);
  return stage;
}

afterEach(async () => {
  stage?.client.close();
  await stage?.gateway.stop();
  await stage?.backend.stop();
  stage = undefined;
});

const previous = ({ backend }: Stage): (string | string[] | undefined)[] =>
  backend.attempts.map(({ headers }) => headers['grpc-previous-rpc-attempts']);

test.each(METHODS.flatMap((method) => (['refuse', 'goaway'] as const).map((kind) => [method, kind] as const)))(
  '%s that the backend certainly did not process (%s) is made once more, whole, and told to nobody',
  async (method, kind) => {
    const here = await setUp();
    expect((await here.call('Unary', [])).code).toBe(OK); // The connection has had a stream.
    // The answer is one message, whatever the kind.
    const messages = [
      Buffer.from('one'),
      ...(method === 'BidiStream' ? [Buffer.from('two'), Buffer.from('three')] : []),
    ];
    const observed = await here.call(method, [{ kind }], { messages });
    expect(observed.code).toBe(OK);
    const { attempts } = here.backend;
    expect(attempts.map(({ reaction }) => reaction)).toEqual([kind, 'ok']);
    expect(attempts[1]?.body).toEqual(attempts[0]?.body);
    expect(previous(here)).toEqual([undefined, undefined]);
    expect(attempts[1]?.headers['x-request-id']).toBe(attempts[0]?.headers['x-request-id']);
  },
);

test('what is refused twice is not made a third time, unless the method is idempotent', async () => {
  const here = await setUp();
  const refuse: Reaction = { kind: 'refuse' };
  expect((await here.call('ServerStream', [refuse, refuse])).code).toBe(UNAVAILABLE);
  expect(here.backend.attempts).toHaveLength(2);
  expect((await here.call('Unary', [refuse, refuse])).code).toBe(OK);
  expect(here.backend.attempts).toHaveLength(3);
});

test.each(METHODS)('%s goes to the endpoint that is up, however many are not', async (method) => {
  const here = await setUp({ dead: 4 });
  const calls = Array.from({ length: 30 }, () => here.client.call(method, { timeoutMs: PATIENCE_MS }));
  expect(new Set((await Promise.all(calls)).map(({ code }) => code))).toEqual(new Set([OK]));
  expect(here.backend.attempts).toHaveLength(30);
});

test('an idempotent method is tried again after UNAVAILABLE, and the backend is told which attempt it is', async () => {
  const here = await setUp();
  expect((await here.call('Unary', [UNAVAILABLE_NOW, { kind: 'drop' }])).code).toBe(OK);
  expect(previous(here)).toEqual([undefined, '1', '2']);
  const [first, second, third] = here.backend.attempts;
  expect([second?.body, third?.body]).toEqual([first?.body, first?.body]);
  // A client that has tried before says so, and is believed.
  const metadata = { 'grpc-previous-rpc-attempts': '2' };
  expect((await here.call('Unary', [UNAVAILABLE_NOW], { metadata })).code).toBe(OK);
  expect(previous(here)).toEqual(['2', '3']);
});

test('no more attempts than configured are made; then the caller gets what the backend last said', async () => {
  const here = await setUp({ retry: { maxAttempts: 2 } });
  const last: Reaction = { kind: 'status', code: UNAVAILABLE, pushback: '0' };
  const observed = await here.call('Unary', [UNAVAILABLE_NOW, last, { kind: 'ok' }]);
  expect(observed).toMatchObject({ code: UNAVAILABLE, trailers: { 'grpc-retry-pushback-ms': '0' } });
  expect(here.backend.attempts).toHaveLength(2);
});

test.each([
  ['a method that is not idempotent', 'ClientStream', UNAVAILABLE_NOW, UNAVAILABLE],
  ['another status', 'Unary', { kind: 'status', code: FAILED_PRECONDITION }, FAILED_PRECONDITION],
  ['UNAVAILABLE behind response headers', 'Unary', { kind: 'status-after-headers', code: UNAVAILABLE }, UNAVAILABLE],
  ['a backend that says never', 'Unary', { kind: 'status', code: UNAVAILABLE, pushback: '-1' }, UNAVAILABLE],
  ['a backend that says nonsense', 'Unary', { kind: 'status', code: UNAVAILABLE, pushback: 'soon' }, UNAVAILABLE],
] as const)('%s is not tried again', async (_name, method, reaction, code) => {
  const here = await setUp();
  expect((await here.call(method, [reaction])).code).toBe(code);
  expect(here.backend.attempts).toHaveLength(1);
});

test('max_attempts: 1 switches all of it off', async () => {
  const here = await setUp({ retry: { maxAttempts: 1 } });
  for (const reaction of [UNAVAILABLE_NOW, { kind: 'refuse' }, { kind: 'goaway' }] as const) {
    expect((await here.call('Unary', [reaction])).code).toBe(UNAVAILABLE);
    expect(here.backend.attempts).toHaveLength(1);
  }
});

test('a wait that the deadline does not leave is not begun', async () => {
  const here = await setUp();
  const later: Reaction = { kind: 'status', code: UNAVAILABLE, pushback: '9000' };
  expect((await here.call('Unary', [later], { timeoutMs: 8_000 })).code).toBe(UNAVAILABLE);
  expect(here.backend.attempts).toHaveLength(1);
});

test('a call that is cancelled while it waits for its next attempt has none', async () => {
  const here = await setUp();
  here.backend.script = [{ kind: 'status', code: UNAVAILABLE, pushback: '300' }];
  const client = await H2Client.connect(`http://127.0.0.1:${here.gateway.public}`);
  const cancelled = client.session.request(
    grpcRequest('/everything.v1.EverythingService/Unary', here.gateway.key('alpha')),
  );
  cancelled.on('error', () => {});
  cancelled.end(HELLO);
  await here.backend.watch.until(() => here.backend.attempts.length === 1);
  cancelled.close(constants.NGHTTP2_CANCEL);
  await new Promise((resolve) => client.session.ping(resolve));
  client.close();
  // A later call that waits longer is tried again: the time of the first one's next attempt is past.
  const later: Reaction = { kind: 'status', code: UNAVAILABLE, pushback: '600' };
  expect((await here.call('Unary', [later])).code).toBe(OK);
  expect(here.backend.attempts.map(({ reaction }) => reaction)).toEqual(['status', 'ok']);
});

test('while everything fails, retries are within the budget', async () => {
  const here = await setUp({ retry: { maxAttempts: 5, budgetRatio: 0.2 } });
  here.backend.otherwise = UNAVAILABLE_NOW;
  const codes = new Set<number>();
  for (let round = 0; round < 10; round++) {
    const calls = Array.from({ length: 20 }, () => here.client.call('Unary', { timeoutMs: PATIENCE_MS }));
    for (const { code } of await Promise.all(calls)) codes.add(code);
  }
  expect(codes).toEqual(new Set([UNAVAILABLE]));
  const retries = here.backend.attempts.length - 200;
  expect(retries).toBeGreaterThan(10);
  expect(retries).toBeLessThanOrEqual(10 + 0.2 * 200);
});

test('each attempt counts for the breaker, and when it opens the caller is told what the backend said', async () => {
  const here = await setUp({ breaker: { minCalls: 2, failureRatio: 0.9, openFor: { seconds: 60, nanos: 0 } } });
  const observed = await here.call('Unary', [UNAVAILABLE_NOW, UNAVAILABLE_NOW]);
  expect(observed.code).toBe(UNAVAILABLE);
  expect(here.backend.attempts).toHaveLength(2);
  expect(observed.trailers['grpc-status-details-bin']).toBeUndefined();
  expect(refusalOf(await here.call('Unary', []))).toMatchObject({ metadata: { why: 'breaker_open' } });
  expect(here.backend.attempts).toHaveLength(0);
});

test('a call that is tried again costs once what it costs', async () => {
  const here = await setUp({ units: 7 * 3 });
  for (let call = 0; call < 3; call++) {
    expect((await here.call('Costly', [{ kind: 'refuse' }])).code).toBe(OK);
    expect(here.backend.attempts).toHaveLength(2);
  }
  expect((await here.call('Costly', [])).code).toBe(RESOURCE_EXHAUSTED);
});

test('a request too long to be kept is not tried again; one that is not, is, octet for octet', async () => {
  const here = await setUp();
  const kept = Buffer.alloc(60_000, 'kept');
  const observed = await here.call('Unary', [UNAVAILABLE_NOW], { messages: [kept] });
  expect(observed.code).toBe(OK);
  expect(observed.messages).toEqual([kept]);
  const long = await here.call('Unary', [UNAVAILABLE_NOW], { messages: [Buffer.alloc(200_000, 'long')] });
  expect(long.code).toBe(UNAVAILABLE);
  expect(here.backend.attempts).toHaveLength(1);
});

test('whatever is refused and whenever, requests arrive whole, once, and windows are given back', async () => {
  const here = await setUp({ retry: { maxAttempts: 5, budgetRatio: 1 } });
  const reaction = fc.constantFrom<Reaction>({ kind: 'refuse' }, { kind: 'goaway' }, UNAVAILABLE_NOW, { kind: 'drop' });
  await fc.assert(
    fc.asyncProperty(
      fc.array(reaction, { maxLength: 3 }),
      fc.array(fc.integer({ min: 0, max: 12_000 }), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (reactions, sizes, early) => {
        here.backend.early = early && reactions.length > 0;
        here.backend.attempts.length = 0;
        here.backend.script = [...reactions];
        const request = Buffer.concat(sizes.map((size, index) => Buffer.alloc(size, index + 1)));
        const observed = await here.client.call('Unary', { timeoutMs: PATIENCE_MS, messages: [request] });
        // An early OK answers before the request is there.
        if (!early) expect([observed.code, ...observed.messages]).toEqual([OK, request]);
        expect(observed.code).toBe(OK);
        expect(here.backend.attempts).toHaveLength(reactions.length + 1);
      },
    ),
    { numRuns: 60, seed: 20_261_126 },
  );
  // The connection to the gateway has all of its window: a long request still passes.
  here.backend.early = false;
  const long = await here.call('ClientStream', [], { messages: [Buffer.alloc(1_000_000)] });
  expect([long.code, here.backend.attempts[0]?.body.length]).toEqual([OK, 1_000_005]);
});
