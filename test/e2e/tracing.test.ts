import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type Telemetry,
  Telemetry_Otlp_Protocol,
  type Telemetry_Tracing,
} from '../../generated/tollgate/config/v1/config.ts';
import { AttemptsBackend } from '../support/attempts-backend.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import type { EverythingMethod } from '../support/everything-methods.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type CallOptions, GrpcClient, type Observation } from '../support/grpc-client.ts';
import { type CollectedSpan, OtlpCollector } from '../support/otlp-collector.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// What arrives at a collector, decoded with the published OTLP protos; and what the backend is told of the trace.

const KINDS = ['Unary', 'ServerStream', 'ClientStream', 'BidiStream'] as const;
const SERVICE = 'everything.v1.EverythingService';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const { PROTOCOL_GRPC: GRPC, PROTOCOL_HTTP_PROTOBUF: HTTP_PROTOBUF } = Telemetry_Otlp_Protocol;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Stage {
  readonly collector: OtlpCollector;
  readonly backend: EverythingBackend;
  readonly gateway: TestGateway;
  call(method: EverythingMethod, options?: CallOptions): Promise<Observation>;
}

async function openCollector(): Promise<OtlpCollector> {
  const collector = await new OtlpCollector().start();
  closers.push(() => collector.stop());
  return collector;
}

async function setUp(
  tracing: Partial<Telemetry_Tracing> = { ratio: 1 },
  protocol: Telemetry_Otlp_Protocol = GRPC,
): Promise<Stage> {
  const collector = await openCollector();
  const backend = await new EverythingBackend().start();
  closers.push(() => backend.stop());
  const gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      config.telemetry = telemetry(protocol === GRPC ? collector.grpcUrl : collector.httpUrl, protocol, tracing);
    },
  });
  closers.push(() => gateway.stop());
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  closers.push(() => client.close());
  return { collector, backend, gateway, call: (method, options) => client.call(method, options) };
}

function telemetry(
  endpoint: string,
  protocol: Telemetry_Otlp_Protocol,
  tracing: Partial<Telemetry_Tracing>,
): Telemetry {
  return {
    logLevel: 'warn',
    otlp: {
      endpoint,
      protocol,
      serviceName: 'edge',
      resourceAttributes: { 'deployment.environment.name': 'test' },
      headersFromEnv: {},
    },
    tracing: { rules: [], baggage: [], ignoreParent: false, ...tracing },
  };
}

const header = (metadata: Readonly<Record<string, string | string[]>>, name: string): string =>
  [metadata[name] ?? ''].flat().join(',');
const requestIdOf = ({ backend }: Stage): string => header(backend.last.metadata, 'x-request-id');
const own = (spans: readonly CollectedSpan[]): CollectedSpan => spans.find(({ kind }) => kind === 'server')!;
const attempts = (spans: readonly CollectedSpan[]): CollectedSpan[] =>
  spans
    .filter(({ kind }) => kind === 'client')
    .sort((a, b) => Number(a.attributes['tollgate.attempt']) - Number(b.attributes['tollgate.attempt']));

describe.each([
  ['OTLP/gRPC', GRPC],
  ['OTLP/HTTP with protobuf', HTTP_PROTOBUF],
] as const)('over %s', (_name, protocol) => {
  test('calls of all four kinds arrive: the call, and in it the attempt that the backend was told of', async () => {
    const here = await setUp({ ratio: 1 }, protocol);
    for (const method of KINDS) {
      expect((await here.call(method)).code).toBe(status.OK);
      const requestId = requestIdOf(here);
      const spans = await here.collector.trace(requestId);
      const [call, attempt] = [own(spans), attempts(spans)[0]!];
      expect(spans.filter(({ kind }) => kind !== 'internal')).toHaveLength(2);
      expect(call).toMatchObject({
        name: `${SERVICE}/${method}`,
        traceId: requestId.replaceAll('-', ''),
        parentSpanId: '',
        error: false,
        attributes: {
          'rpc.system.name': 'grpc',
          'rpc.method': `${SERVICE}/${method}`,
          'rpc.response.status_code': 'OK',
          'tollgate.tenant': 'alpha',
          'tollgate.listener': 'public',
          'tollgate.attempts': 1,
        },
        resource: { 'service.name': 'edge', 'deployment.environment.name': 'test' },
      });
      expect(attempt).toMatchObject({
        traceId: call.traceId,
        parentSpanId: call.spanId,
        attributes: {
          'server.address': '127.0.0.1',
          'server.port': here.backend.port,
          'tollgate.backend': 'everything',
        },
      });
      expect(attempt.start >= call.start && attempt.end <= call.end).toBe(true);
      expect(header(here.backend.last.metadata, 'traceparent')).toBe(`00-${call.traceId}-${attempt.spanId}-01`);
    }
  });

  test('a refusal arrives with its reason, and without an attempt', async () => {
    const here = await setUp({ ratio: 0 }, protocol);
    const stranger = new GrpcClient(`127.0.0.1:${here.gateway.public}`);
    closers.push(() => stranger.close());
    const refusal = refusalOf(await stranger.call('Unary'));
    const spans = await here.collector.trace(refusal.metadata.request_id ?? '');
    expect(attempts(spans)).toEqual([]);
    expect(own(spans)).toMatchObject({
      name: `${SERVICE}/Unary`,
      attributes: {
        'rpc.response.status_code': 'UNAUTHENTICATED',
        'tollgate.reason': 'CREDENTIAL_INVALID',
        'tollgate.attempts': 0,
      },
    });
  });
});

test('each attempt of a call that is tried again is a span, and the backend is told which', async () => {
  const collector = await openCollector();
  const backend = await new AttemptsBackend().start();
  closers.push(() => backend.stop());
  const gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      config.telemetry = telemetry(collector.grpcUrl, GRPC, { ratio: 1 });
    },
  });
  closers.push(() => gateway.stop());
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  closers.push(() => client.close());
  backend.script = [{ kind: 'refuse' }, { kind: 'status', code: status.UNAVAILABLE }];
  expect((await client.call('Unary')).code).toBe(status.OK);

  const spans = await collector.trace(String(backend.attempts[0]?.headers['x-request-id']));
  const tried = attempts(spans);
  expect(own(spans).attributes['tollgate.attempts']).toBe(3);
  expect(tried.map(({ attributes, error }) => [attributes['rpc.response.status_code'], error])).toEqual([
    ['UNAVAILABLE', true],
    ['UNAVAILABLE', true],
    ['OK', false],
  ]);
  expect(tried.map(({ attributes }) => attributes['tollgate.not_processed'])).toEqual([true, undefined, undefined]);
  const told = backend.attempts.map(({ headers }) => String(headers.traceparent));
  expect(told).toEqual(tried.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`));
  expect(new Set(tried.map(({ spanId }) => spanId)).size).toBe(3);
});

test("a caller's trace goes on, with its state; what of it is sampled, is, and the backend is told so", async () => {
  const here = await setUp({ ratio: 0 });
  const metadata = { traceparent: `00-${TRACE}-${CALLER}-01`, tracestate: 'vendor=1' };
  expect((await here.call('Unary', { metadata })).code).toBe(status.OK);
  const spans = await here.collector.trace(requestIdOf(here));
  expect(own(spans)).toMatchObject({ traceId: TRACE, parentSpanId: CALLER });
  expect(header(here.backend.last.metadata, 'traceparent')).toBe(`00-${TRACE}-${attempts(spans)[0]?.spanId}-01`);
  expect(header(here.backend.last.metadata, 'tracestate')).toBe('vendor=1');
});

test.each([
  ['a caller that does not record', `00-${TRACE}-${CALLER}-00`, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`)],
  [
    'a malformed one begins anew',
    `00-${TRACE.toUpperCase()}-${CALLER}-01`,
    /^00-(?!0af7)[0-9a-f]{32}-[0-9a-f]{16}-00$/,
  ],
])('an unsampled call costs its header, and says so: %s', async (_name, traceparent, told) => {
  const here = await setUp({ ratio: 0 });
  const metadata = { traceparent, tracestate: 'vendor=1' };
  expect((await here.call('Unary', { metadata })).code).toBe(status.OK);
  expect(header(here.backend.last.metadata, 'traceparent')).toMatch(told);
  expect(header(here.backend.last.metadata, 'tracestate')).toBe(told.source.includes(TRACE) ? 'vendor=1' : '');
  // A failure behind it is kept by the tail decision, and it is the first that arrives.
  await here.call('Unary', { script: { code: status.INTERNAL } });
  const failed = await here.collector.trace(requestIdOf(here));
  expect(own(failed)).toMatchObject({ error: true, attributes: { 'error.type': 'INTERNAL' } });
  expect(here.collector.spans.filter(({ kind }) => kind === 'server')).toHaveLength(1);
});

test('rules by tenant and method decide for traces that begin here; slow calls are kept whatever they say', async () => {
  const rules = [
    { tenant: 'beta', method: '', ratio: 1 },
    { tenant: '', method: `${SERVICE}/Scoped`, ratio: 1 },
  ];
  const here = await setUp({ ratio: 0, rules, slow: { seconds: 0, nanos: 0 } });
  const beta = new GrpcClient(`127.0.0.1:${here.gateway.public}`, here.gateway.key('beta'));
  closers.push(() => beta.close());
  const flag = async (calling: Promise<Observation>): Promise<string> => {
    expect((await calling).code).toBe(status.OK);
    return header(here.backend.last.metadata, 'traceparent').slice(-2);
  };
  expect(await flag(here.call('Unary'))).toBe('00');
  const slow = requestIdOf(here);
  expect(await flag(here.call('Scoped'))).toBe('01');
  expect(await flag(beta.call('Unary'))).toBe('01');
  // Everything is slower than 0 s: the first call arrives though its header said that nobody records it.
  expect(own(await here.collector.trace(slow)).attributes['rpc.response.status_code']).toBe('OK');
});

test('of baggage only what is allowed passes, with the call that brought it', async () => {
  const here = await setUp({ ratio: 0, baggage: ['user.region', 'cart'] });
  const beta = new GrpcClient(`127.0.0.1:${here.gateway.public}`, here.gateway.key('beta'));
  closers.push(() => beta.close());
  const metadata = { baggage: 'secret=1, user.region=eu;p=1,cart = 7' };
  await here.call('Unary', { metadata });
  expect(header(here.backend.last.metadata, 'baggage')).toBe('user.region=eu;p=1,cart = 7');
  await beta.call('Unary');
  expect(header(here.backend.last.metadata, 'baggage')).toBe('');
  await here.call('Unary', { metadata: { baggage: 'secret=1' } });
  expect(header(here.backend.last.metadata, 'baggage')).toBe('');
  // A call that nobody authenticated passes none.
  const stranger = new GrpcClient(`127.0.0.1:${here.gateway.public}`);
  closers.push(() => stranger.close());
  expect((await stranger.call('Open', { metadata })).code).toBe(status.OK);
  expect(header(here.backend.last.metadata, 'baggage')).toBe('');
});

test('waits of the chain are spans of their own', async () => {
  const here = await setUp();
  await here.call('Unary');
  const spans = await here.collector.trace(requestIdOf(here));
  // The first call of a key waits for the store.
  const waits = spans.filter(({ kind }) => kind === 'internal');
  expect(waits.map(({ name }) => name)).toContain('tollgate.authenticate');
  for (const wait of waits) expect(wait.parentSpanId).toBe(own(spans).spanId);
});

test('without telemetry, trace headers are metadata like any other', async () => {
  const backend = await new EverythingBackend().start();
  closers.push(() => backend.stop());
  const gateway = await startTestGateway({ backend: backend.address });
  closers.push(() => gateway.stop());
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  closers.push(() => client.close());
  const metadata = { traceparent: 'anything', tracestate: 'a=1', baggage: 'b=2' };
  await client.call('Unary', { metadata });
  expect(backend.last.metadata).toMatchObject(metadata);
});

test('a collector that hangs costs a bounded queue, one line, and no call', async () => {
  const here = await setUp({ ratio: 1 }, HTTP_PROTOBUF);
  here.collector.silent = true;
  for (let round = 0; round < 60; round++) {
    const codes = await Promise.all(Array.from({ length: 50 }, async () => (await here.call('Unary')).code));
    expect(new Set(codes)).toEqual(new Set([status.OK]));
  }
  const { exported, dropped, queued } = here.gateway.gateway.exportCounts!;
  expect(exported).toBe(0);
  // More than 6,000 spans: 4,096 wait, or all but one for which two have no room; one batch is on its way.
  expect(queued).toBeGreaterThan(4090);
  expect(queued).toBeLessThanOrEqual(4096);
  expect(dropped).toBeGreaterThan(6_000 - 4_096 - 1_024 - 2);
  expect(here.gateway.logs.filter((line) => line.includes('traces cannot be exported')).length).toBeLessThanOrEqual(1);
});

test('the standard variables configure it', async () => {
  const collector = await openCollector();
  const backend = await new EverythingBackend().start();
  closers.push(() => backend.stop());
  const gateway = await GatewayProcess.start(
    { backend: backend.address },
    {
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.grpcUrl,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
        OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=abc',
        OTEL_SERVICE_NAME: 'from-env',
        OTEL_RESOURCE_ATTRIBUTES: 'team=edge%20a,service.name=not-this',
        OTEL_TRACES_SAMPLER: 'parentbased_always_on',
      },
    },
  );
  closers.push(() => gateway.dispose());
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.config.key('alpha'));
  closers.push(() => client.close());
  expect((await client.call('Unary')).code).toBe(status.OK);
  const spans = await collector.trace(header(backend.last.metadata, 'x-request-id'));
  expect(own(spans).resource).toMatchObject({ 'service.name': 'from-env', team: 'edge a' });
  expect(collector.headers).toMatchObject({ 'x-collector-key': 'abc' });
});
