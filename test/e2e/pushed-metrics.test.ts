import { afterEach, describe, expect, test } from 'vitest';
import { type Telemetry, Telemetry_Otlp_Protocol } from '../../generated/tollgate/config/v1/config.ts';
import {
  GetMetricsRequest,
  type GetMetricsResponse,
  Instrument_Kind,
  GetMetricsRequest_Label as Label,
  MetricsServiceService,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { fromDuration } from '../../src/metrics/series-report.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { OtlpCollector } from '../support/otlp-collector.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

// What arrives at a collector, decoded with the published OTLP protos, held against what the gateway itself says.

const { PROTOCOL_GRPC: GRPC, PROTOCOL_HTTP_PROTOBUF: HTTP_PROTOBUF } = Telemetry_Otlp_Protocol;
const LONG = { seconds: 3600, nanos: 0 };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Stage {
  readonly collector: OtlpCollector;
  readonly gateway: TestGateway;
  readonly backend: EverythingBackend;
  readonly client: GrpcClient;
  ask(request: Partial<GetMetricsRequest>): Promise<GetMetricsResponse>;
}

async function setUp(protocol: Telemetry_Otlp_Protocol = GRPC, interval = LONG): Promise<Stage> {
  const collector = await new OtlpCollector().start();
  closers.push(() => collector.stop());
  const backend = await new EverythingBackend().start();
  closers.push(() => backend.stop());
  const telemetry: Telemetry = {
    logLevel: 'warn',
    otlp: {
      endpoint: protocol === GRPC ? collector.grpcUrl : collector.httpUrl,
      protocol,
      serviceName: 'edge',
      resourceAttributes: { 'deployment.environment.name': 'test' },
      headersFromEnv: {},
      metrics: { disabled: false, interval },
    },
  };
  const gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      config.telemetry = telemetry;
    },
  });
  closers.push(() => gateway.stop());
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  const admin = new AdminClient(gateway.admin, gateway.adminKey);
  closers.push(() => [client, admin].map((each) => each.close()));
  const ask: Stage['ask'] = (request) =>
    admin.call(MetricsServiceService.getMetrics, { ...GetMetricsRequest.fromPartial({}), ...request });
  return { collector, gateway, backend, client, ask };
}

const PUBLIC = { tenant: 'alpha' };
const NANOSECONDS = 1e9;

describe.each([
  ['OTLP/gRPC', GRPC],
  ['OTLP/HTTP with protobuf', HTTP_PROTOBUF],
] as const)('over %s', (_name, protocol) => {
  test('what a gateway has counted arrives when it stops, as GetMetrics says it', async () => {
    const { collector, gateway, client, ask } = await setUp(protocol);
    for (const method of ['Unary', 'Unary', 'ServerStream', 'ClientStream', 'BidiStream'] as const) {
      await client.call(method, { messages: [Buffer.alloc(3000, 'm')] });
    }
    await client.call('Unary', { script: { code: 13 } });
    const told = await ask({
      tenantId: 'alpha',
      groupBy: [Label.LABEL_TENANT, Label.LABEL_METHOD, Label.LABEL_STATUS],
    });
    const before = await ask({ groupBy: [Label.LABEL_METHOD], method: 'everything.v1.EverythingService/Unary' });
    await gateway.gateway.stop(10_000);

    const { metrics } = collector;
    expect(told.series.map(({ calls }) => calls)).toEqual([2, 1, 1, 1, 1]);
    for (const { method, status, calls } of told.series) {
      expect(metrics.find('tollgate_calls', { ...PUBLIC, method, status })).toEqual([
        expect.objectContaining({ kind: 'cumulative counter', unit: '', value: calls }),
      ]);
    }
    const total = (field: 'requestMessages' | 'responseMessages' | 'requestBytes' | 'responseBytes') =>
      told.series.reduce((sum, series) => sum + series[field], 0);
    expect(metrics.sum('tollgate_request_messages', PUBLIC)).toBe(total('requestMessages'));
    expect(metrics.sum('tollgate_response_messages', PUBLIC)).toBe(total('responseMessages'));
    expect(metrics.sum('tollgate_request_bytes', PUBLIC)).toBe(total('requestBytes'));
    expect(metrics.sum('tollgate_response_bytes', PUBLIC)).toBe(total('responseBytes'));
    expect(metrics.find('tollgate_request_bytes', PUBLIC)[0]?.unit).toBe('By');

    const [unary] = before.series;
    const parts = [
      ['tollgate_call_duration_seconds', unary?.latency],
      ['tollgate_backend_duration_seconds', unary?.backendLatency],
      ['tollgate_gateway_duration_seconds', unary?.gatewayLatency],
    ] as const;
    for (const [name, latency] of parts) {
      const [point] = metrics.find(name, { method: unary?.method ?? '' });
      expect(point).toMatchObject({ kind: 'cumulative histogram', unit: 's', histogram: { count: 3 } });
      expect(point?.value).toBeCloseTo(fromDuration(latency?.sum) / 1000, 6);
      const { counts = [], bounds = [] } = point?.histogram ?? {};
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3);
      expect([counts.length, bounds.length, bounds[0], bounds.at(-1)]).toEqual([20, 19, 0.000256, 67.108864]);
    }
    expect(metrics.find('tollgate_tenant_call_duration_seconds', PUBLIC)[0]?.histogram).toMatchObject({ count: 6 });

    // Who measures, and since when.
    const [calls] = metrics.find('tollgate_calls', PUBLIC);
    expect(calls?.resource).toMatchObject({
      'service.name': 'edge',
      'deployment.environment.name': 'test',
      'service.instance.id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const started = told.startTime?.getTime() ?? Number.NaN;
    expect(Math.abs(Number(calls!.start) / NANOSECONDS - started / 1000)).toBeLessThan(0.01);
    expect(calls!.time).toBeGreaterThan(calls!.start);
  });

  test("the gateway's own instruments arrive, every one that Prometheus is told of", async () => {
    const { collector, gateway, client, ask } = await setUp(protocol);
    await client.call('Unary');
    const { instruments } = await ask({});
    const page = await (await fetch(`http://127.0.0.1:${gateway.admin}/metrics`)).text();
    await gateway.gateway.stop(10_000);
    const { metrics } = collector;
    for (const { name, kind, help, samples, labels } of instruments) {
      const points = metrics.find(name);
      // What has no samples is nowhere.
      if (samples.length === 0) continue;
      expect(points.length, name).toBeGreaterThanOrEqual(samples.length);
      for (const { kind: arrived, description, attributes } of points) {
        expect(arrived, name).toBe(kind === Instrument_Kind.KIND_COUNTER ? 'cumulative counter' : 'gauge');
        expect([description, Object.keys(attributes)]).toEqual([help, labels]);
      }
    }
    const families = [...page.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!.replace(/_total$/, ''));
    const withSamples = families.filter((name) => new RegExp(`^${name}\\S* \\S+$`, 'm').test(page));
    expect(metrics.names).toEqual(expect.arrayContaining(withSamples));
    expect(withSamples.length).toBeGreaterThan(25);
  });
});

test('they come at an interval, each time with all that was counted since the start', async () => {
  const { collector, client } = await setUp(GRPC, { seconds: 1, nanos: 0 });
  const counted = () => collector.metrics.sum('tollgate_calls', PUBLIC);
  await client.call('Unary');
  await collector.watch.until(() => counted() === 1);
  const [first] = collector.metrics.find('tollgate_calls', PUBLIC);
  await client.call('Unary');
  await collector.watch.until(() => counted() === 2);
  const [second] = collector.metrics.find('tollgate_calls', PUBLIC);
  expect([second?.start, second!.time > first!.time]).toEqual([first?.start, true]);
});

test('a collector that takes no metrics is told of once, and traces go on', async () => {
  const stage = await setUp(GRPC, { seconds: 1, nanos: 0 });
  stage.collector.refusesMetrics = true;
  const failed = () => stage.gateway.logs.filter((line) => line.includes('metrics cannot be exported'));
  await stage.collector.watch.until(() => stage.collector.refused >= 3);
  expect(failed()).toHaveLength(1);
  expect((await stage.client.call('Unary', { script: { code: 13 } })).code).toBe(13);
  await stage.collector.watch.until(() => stage.collector.spans.length > 0);
});

test('the standard variables configure it', async () => {
  const collector = await new OtlpCollector().start();
  closers.push(() => collector.stop());
  const backend = await new EverythingBackend().start();
  closers.push(() => backend.stop());
  const gateway = await GatewayProcess.start(
    { backend: backend.address },
    {
      env: {
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${collector.httpUrl}/v1/metrics`,
        OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'x-collector-key=abc',
        OTEL_METRIC_EXPORT_INTERVAL: '1000',
        OTEL_SERVICE_NAME: 'from-env',
      },
    },
  );
  closers.push(() => gateway.dispose());
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.config.key('alpha'));
  closers.push(() => client.close());
  await client.call('Unary');
  await collector.watch.until(() => collector.metrics.sum('tollgate_calls', PUBLIC) === 1);
  expect(collector.metrics.find('tollgate_calls', PUBLIC)[0]?.resource).toMatchObject({ 'service.name': 'from-env' });
  expect(collector.headers).toMatchObject({ 'x-collector-key': 'abc' });
  // There was no word of traces.
  expect(collector.spans).toEqual([]);
});
