import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CircuitBreaker } from '../../src/breaker/circuit-breaker.ts';
import type { Call, Outcome, Refusal, Stage } from '../../src/chain/call.ts';
import { MiddlewareChain } from '../../src/chain/chain.ts';
import { Deadlines } from '../../src/chain/deadlines.ts';
import type { CallKind, MethodEntry } from '../../src/contracts/method-entry.ts';
import { Listener } from '../../src/http2/index.ts';
import { QuotaTracker } from '../../src/quota/quota-tracker.ts';
import { RateLimiter } from '../../src/ratelimit/rate-limiter.ts';
import { Answers } from '../../src/routing/answers.ts';
import type { Backend, Permit } from '../../src/routing/backend.ts';
import { HEADER_NAMES } from '../../src/routing/header-names.ts';
import { ListenerView } from '../../src/routing/listener-view.ts';
import { openBackend } from '../../src/routing/open-backend.ts';
import { RecentOctets } from '../../src/routing/recent-octets.ts';
import { RequestIds } from '../../src/routing/request-id.ts';
import { RequestRouter } from '../../src/routing/router.ts';
import { MemoryRates } from '../../src/store/embedded/rates.ts';
import { IdentityIndex } from '../../src/sync/identity-index.ts';
import type { Snapshot } from '../../src/sync/snapshot.ts';
import { fakePlan, fakeTenant } from '../chain/fake-call.ts';
import { FakeQuotas } from '../quota/fake-quotas.ts';
import { BROKEN, failing, GRPC_HEADERS, healthy, reset, silent } from '../support/behaviours.ts';
import { data, Flag, FrameType, frame, goaway, grpcMessage, headers, rstStream } from '../support/frames.ts';
import { grpcRequest, H2Client, HELLO } from '../support/h2-client.ts';
import { type Behaviour, RawBackend, type RawConnection } from '../support/raw-backend.ts';
import { Watch } from '../support/watch.ts';

// However calls end, and whoever ends them at whatever moment: everything they held is given back, once.

const PLAN = fakePlan({
  limits: [{ name: 'calls', rate: 1e6, burst: 1e6 }],
  quotas: [{ metric: 'units', limit: 1_000_000, period: 'day', timeZone: 'UTC', anchor: 0 }],
  concurrency: 1_000_000,
});
const COST = 3;
const KINDS: readonly CallKind[] = ['unary', 'client_stream', 'server_stream', 'bidi_stream'];
const METHODS = new Map(KINDS.map((kind) => [`/t.S/${kind}`, method(kind)]));
const SNAPSHOT: Snapshot = {
  version: 1,
  methods: METHODS,
  backends: new Map(),
  contracts: new Map(),
  plans: new Map([[PLAN.id, PLAN]]),
  tenants: { size: 0, get: () => undefined, with: unsupported, without: unsupported },
  identities: IdentityIndex.empty(),
};

const REFUSAL: Refusal = {
  status: 9,
  reason: 'NO',
  message: 'no',
  retryAfterMs: undefined,
  violation: undefined,
  metadata: undefined,
};

/** The gateway's data plane in one piece, with what it counts in sight. */
class World {
  readonly watch = new Watch();
  readonly quotas = new FakeQuotas();
  readonly deadlines = new Deadlines(now);
  readonly recent = new RecentOctets(16_384);
  readonly limiter = new RateLimiter({ rates: new MemoryRates(now), now });
  readonly quota = new QuotaTracker({ quotas: this.quotas, now: () => Date.now() });
  readonly breaker = new CircuitBreaker({ openForMs: 1, minCalls: 50, failureRatio: 1 }, now);
  readonly permits: { count: number }[] = [];
  readonly faults: unknown[] = [];
  readonly outcomes = new Map<Call, Outcome[]>();
  readonly backend: Backend;
  /** Shares of the calls whose caller is known at once, and of those that a stage behind keeps waiting or refuses. */
  knows = 0.5;
  late = 0.4;
  /** That stage answers only when this is done. */
  held: Promise<void> | undefined;
  begun = 0;
  ended = 0;
  listener: Listener | undefined;

  constructor(port: number, random: () => number) {
    const endpoint = { host: '127.0.0.1', port };
    this.backend = openBackend(
      {
        name: 'b',
        endpoints: [endpoint, endpoint],
        tls: undefined,
        connectTimeoutMs: 1_000,
        defaultTimeoutMs: undefined,
        maxConnections: 2,
      },
      { breaker: { acquire: () => this.#acquire() }, random, now, onError: () => {} },
    );
  }

  /** A permit of the breaker that counts how often it is used. */
  #acquire(): Permit | number {
    const permit = this.breaker.acquire();
    if (typeof permit === 'number') return permit;
    const uses = { count: 0 };
    this.permits.push(uses);
    return {
      settle: (...how) => {
        uses.count++;
        permit.settle(...how);
      },
      ignore: () => {
        uses.count++;
        permit.ignore();
      },
    };
  }

  async start(random: () => number): Promise<this> {
    const view = new ListenerView({ name: 'l', contracts: ['c'], trustRequestId: false, uniformErrors: false });
    const router = new RequestRouter({
      now,
      chain: new MiddlewareChain([this.#known(random), this.limiter, this.quota, this.#sometimesLate(random)]),
      deadlines: this.deadlines,
      backends: new Map([[this.backend.name, this.backend]]),
      answers: new Answers(),
      requestIds: new RequestIds({ now: () => Date.now(), fillRandom: (buffer) => buffer.fill(7) }),
      tracing: undefined,
      recent: this.recent,
      page: () => undefined,
      onEnd: (call, outcome) => this.#onEnd(call, outcome),
      onFault: (error) => this.faults.push(error),
    });
    this.listener = await Listener.listen({
      host: '127.0.0.1',
      port: 0,
      names: HEADER_NAMES,
      limits: { resetBurst: 1e9, controlBurst: 1e9 },
      onRequest: (stream, block, endStream) => {
        this.begun++;
        return router.accept(view, SNAPSHOT, stream, block, endStream);
      },
      onError: (error) => this.faults.push(error),
    });
    return this;
  }

  /** Authentication as others see it: it knows who calls, now or later. */
  #known(random: () => number): Stage {
    const identify = (call: Call): undefined => {
      call.tenant = fakeTenant('t');
      call.plan = PLAN;
    };
    const admit = (call: Call) => (random() < this.knows ? identify(call) : later(random).then(() => identify(call)));
    return { name: 'known', admit };
  }

  /** A stage behind those that reserve: late, or refusing, or both. */
  #sometimesLate(random: () => number): Stage {
    const admit = () => {
      if (this.held !== undefined) return this.held.then(() => undefined);
      const drawn = random();
      if (drawn >= this.late) return undefined;
      if (drawn < this.late / 8) return REFUSAL;
      return later(random).then(() => (random() < 0.1 ? REFUSAL : undefined));
    };
    return { name: 'late', admit };
  }

  #onEnd(call: Call, outcome: Outcome): void {
    this.ended++;
    this.outcomes.set(call, [...(this.outcomes.get(call) ?? []), outcome]);
    this.watch.changed();
  }

  /** Units that the calls which reached a backend have to pay. */
  get due(): number {
    let calls = 0;
    for (const [outcome] of this.outcomes.values()) if (outcome?.reachedBackend) calls++;
    return calls * COST;
  }

  async stop(): Promise<void> {
    await this.listener?.close(0);
    this.deadlines.close();
    await this.backend.close();
    await this.quota.drain();
  }
}

let raw: RawBackend;
let world: World;
let random: () => number;

beforeEach(async () => {
  random = createRandom(20_261_123);
  raw = await new RawBackend(silent).start();
  world = await new World(raw.port, random).start(random);
});

afterEach(async () => {
  await world.stop();
  await raw.stop();
});

test('after thousands of calls that are broken off at any moment, by anyone, nothing is held', async () => {
  raw.behaviour = anything(random);
  const calls: Promise<void>[] = [];
  for (let connection = 0; connection < 40; connection++) calls.push(abuse(75));
  await Promise.all(calls);

  expect(world.faults).toEqual([]);
  expect(world.begun).toBeGreaterThan(1_500);
  expect(world.ended).toBe(world.begun);
  expect(Math.max(...[...world.outcomes.values()].map((all) => all.length))).toBe(1);
  expect(world.limiter.running('t')).toBe(0);
  expect(world.deadlines.size).toBe(0);
  expect(world.backend.outstanding).toBe(0);
  expect(world.breaker.probing).toBe(0);
  expect(world.recent.outside).toBe(0);
  // Each attempt, those made again among them, was told to the breaker once.
  expect(new Set(world.permits.map(({ count }) => count))).toEqual(new Set([1]));
  // Backend streams of calls that are over.
  for (const { client } of world.backend.endpoints) expect(client.outstanding).toBe(0);
  await world.quota.drain();
  expect(world.quotas.total()).toBe(world.due);
  // All kinds of ends were among them.
  expect(new Set([...world.outcomes.values()].map(([outcome]) => outcome?.status)).size).toBeGreaterThan(5);
});

test('a backend that answers before it has taken the request is told to forget it', async () => {
  world.late = 0;
  raw.behaviour = {
    // It grants no window: the request is queued for it, whole.
    onConnect: ({ send }) => send(frame(FrameType.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))),
  };
  const session = connect(`http://127.0.0.1:${world.listener!.address.port}`);
  const stream = session.request(grpcRequest('/t.S/unary', 'key'));
  stream.end(grpcMessage(Buffer.alloc(1_000)));
  stream.resume();
  await raw.watch.until(() => raw.requests === 1);
  const [connection] = raw.open;
  const [{ client }] = world.backend.endpoints as [(typeof world.backend.endpoints)[0], unknown];
  await new Promise((resolve) => session.ping(resolve)); // Behind the end of the request.
  connection?.send(headers(1, [...GRPC_HEADERS, ['grpc-status', '0']], Flag.END_STREAM | Flag.END_HEADERS));
  await world.watch.until(() => world.ended === 1);
  await raw.watch.until(() => raw.resets.length === 1);
  expect(raw.resets).toEqual([{ stream: 1, code: constants.NGHTTP2_NO_ERROR }]);
  expect(client.outstanding).toBe(0);
  session.destroy();
});

test.each([
  ['at once', 'now'],
  ['after a wait', 'later'],
])('a fault of ours %s ends its call alone, and gives back what it held', async (_, when) => {
  world.knows = when === 'now' ? 1 : 0;
  world.late = 0;
  const pick = world.backend.pick.bind(world.backend);
  world.backend.pick = () => {
    world.backend.pick = pick;
    throw new Error('a fault of ours');
  };
  raw.behaviour = healthy;
  const client = await H2Client.connect(`http://127.0.0.1:${world.listener!.address.port}`);
  const path = '/t.S/unary';
  const codes = await Promise.all([client.grpc(path, 'key'), client.grpc(path, 'key')]);
  expect(codes.sort()).toEqual([0, 13]);
  expect(world.faults).toHaveLength(1);
  expect([world.limiter.running('t'), world.deadlines.size, world.backend.outstanding]).toEqual([0, 0, 0]);
  client.close();
});

test.each([
  ['whose caller is known', 1],
  ['whose caller is not known yet', 0],
])('a stage waits no longer than the deadline of a call %s, which has given everything back then', async (_, knows) => {
  world.knows = knows;
  const { promise, resolve } = Promise.withResolvers<void>();
  world.held = promise;
  raw.behaviour = healthy;
  const client = await H2Client.connect(`http://127.0.0.1:${world.listener!.address.port}`);
  const timeouts = ['1n', '20m', '30m'];
  const answers = timeouts.map((timeout) =>
    client.request({ ...grpcRequest('/t.S/unary', 'key'), 'grpc-timeout': timeout }, HELLO),
  );
  // Answered at once, as refusals are: all in the headers.
  expect((await Promise.all(answers)).map((answer) => answer.headers['grpc-status'])).toEqual(['4', '4', '4']);
  expect([world.ended, world.limiter.running('t'), world.deadlines.size]).toEqual([3, 0, 0]);
  resolve();
  world.held = undefined;
  world.late = 0;
  expect(await client.grpc('/t.S/unary', 'key')).toBe(0);
  expect([raw.requests, world.limiter.running('t'), world.faults]).toEqual([1, 0, []]);
  await world.quota.drain();
  expect(world.quotas.total()).toBe(COST);
  client.close();
});

/** Calls over one connection, each broken off, or not, at a moment of its own; some connections are lost on the way. */
async function abuse(calls: number): Promise<void> {
  const session = connect(`http://127.0.0.1:${world.listener!.address.port}`);
  session.on('error', () => {});
  const lostAt = random() < 0.3 ? Math.floor(random() * calls) : Number.POSITIVE_INFINITY;
  for (let i = 0; i < calls; i++) {
    if (i === lostAt) session.destroy();
    if (session.destroyed) return;
    call(session);
    if (random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
  }
  // Behind the answer to a PING all requests are known; each has a deadline.
  await new Promise<void>((resolve) => session.ping(() => resolve()));
  await world.watch.until(() => world.ended === world.begun);
  session.destroy();
}

function call(session: ClientHttp2Session): void {
  const kind = KINDS[Math.floor(random() * KINDS.length)]!;
  const timeout = random() < 0.1 ? '1n' : `${Math.ceil(random() * 300)}m`;
  const stream = session.request({ ...grpcRequest(`/t.S/${kind}`, 'key'), 'grpc-timeout': timeout });
  stream.on('error', () => {});
  stream.resume();
  const body = random();
  if (body < 0.5) stream.end(HELLO);
  else if (body < 0.7) stream.write(HELLO);
  else if (body < 0.8) stream.end(Buffer.alloc(Math.floor(random() * 200_000)));
  else if (body < 0.9) stream.end();
  const code = random() < 0.5 ? constants.NGHTTP2_CANCEL : constants.NGHTTP2_NO_ERROR;
  const abort = (): void => stream.close(code);
  const when = random();
  if (when < 0.1) abort();
  else if (when < 0.3) afterTurns(Math.floor(random() * 20), abort);
  else if (when < 0.4) stream.on('response', abort);
  else if (when < 0.5) stream.on('data', abort);
}

function afterTurns(turns: number, act: () => void): void {
  if (turns === 0) act();
  else setImmediate(() => afterTurns(turns - 1, act));
}

/** A backend that does something else with each request. */
function anything(random: () => number): Behaviour {
  const END = Flag.END_STREAM | Flag.END_HEADERS;
  const early = (answer: (connection: RawConnection, stream: number) => void): Behaviour => ({ onRequest: answer });
  const ways: readonly Behaviour[] = [
    healthy,
    healthy,
    healthy,
    silent,
    failing(5),
    failing(14),
    reset.beforeHeaders(7),
    reset.beforeHeaders(8),
    reset.afterHeaders(2),
    reset.insideMessage(0),
    BROKEN['closes in the middle of a message']!,
    early((c, s) => c.send(headers(s, [...GRPC_HEADERS, ['grpc-status', '0']], END))),
    early((c, s) => c.send(headers(s, GRPC_HEADERS), data(s, HELLO), headers(s, [['grpc-status', '0']], END))),
    early((c, s) => c.send(headers(s, GRPC_HEADERS), data(s, HELLO))),
    early((c, s) => c.send(rstStream(s, 7))),
    early((c, s) => c.send(goaway(Math.max(0, s - 2), 0))),
    early((c) => c.socket.resetAndDestroy()),
  ];
  const pick = (): Behaviour => {
    // What breaks the connection comes seldom, or nothing else would happen.
    const most = random() < 0.02 ? ways.length : ways.length - 2;
    return ways[Math.floor(random() * most)]!;
  };
  const chosen = new WeakMap<RawConnection, Map<number, Behaviour>>();
  return {
    onRequest: (connection, stream) => {
      const streams = chosen.get(connection) ?? new Map<number, Behaviour>();
      chosen.set(connection, streams);
      const way = pick();
      streams.set(stream, way);
      way.onRequest?.(connection, stream);
    },
    onRequestEnd: (connection, stream) => chosen.get(connection)?.get(stream)?.onRequestEnd?.(connection, stream),
  };
}

function later(random: () => number): Promise<void> {
  return new Promise((resolve) => afterTurns(Math.floor(random() * 20), resolve));
}

function method(kind: CallKind): MethodEntry {
  return {
    path: `/t.S/${kind}`,
    name: `t.S/${kind}`,
    contract: 'c',
    backend: 'b',
    kind,
    policy: {
      requiredScopes: [],
      anyScopes: [],
      cost: COST,
      maxDeadlineMs: 500,
      idempotent: kind === 'unary' || kind === 'bidi_stream',
      limit: undefined,
      public: false,
    },
  };
}

/** Mulberry32: the same run each time, as far as the sockets allow. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function now(): number {
  return performance.now();
}

function unsupported(): never {
  throw new Error('not needed here');
}
