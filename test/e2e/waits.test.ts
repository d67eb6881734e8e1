import { afterEach, describe, expect, test } from 'vitest';
import { Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { type Config, Store_Redis, Telemetry_Otlp_Protocol } from '../../generated/tollgate/config/v1/config.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { type CollectedSpan, OtlpCollector } from '../support/otlp-collector.ts';
import { startRedis } from '../support/redis-server.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { TokenIssuer } from '../support/token-issuer.ts';
import { refusalOf } from './refusal-of.ts';

// What a call waits for inside the chain: spans in the span of the stage, which is in that of the call.

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Stage {
  readonly collector: OtlpCollector;
  readonly backend: EverythingBackend;
  readonly gateway: TestGateway;
  client(key: string): GrpcClient;
}

async function setUp(edit: (config: Config) => void): Promise<Stage> {
  const collector = await new OtlpCollector().start();
  closers.push(() => collector.stop());
  const backend = await new EverythingBackend().start();
  closers.push(() => backend.stop());
  const gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      const protocol = Telemetry_Otlp_Protocol.PROTOCOL_GRPC;
      const otlp = {
        endpoint: collector.grpcUrl,
        protocol,
        serviceName: '',
        resourceAttributes: {},
        headersFromEnv: {},
      };
      const tracing = { ratio: 1, rules: [], baggage: [], ignoreParent: false };
      config.telemetry = { logLevel: 'warn', otlp, tracing };
      edit(config);
    },
  });
  closers.push(() => gateway.stop());
  const client = (key: string) => {
    const made = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
    closers.push(() => made.close());
    return made;
  };
  return { collector, backend, gateway, client };
}

const named = (spans: readonly CollectedSpan[], name: string) => spans.filter((span) => span.name === name);

/** The span is in the one, and that in the call's. */
function expectInside(spans: readonly CollectedSpan[], inner: CollectedSpan, stages: readonly string[]): void {
  const stage = spans.find(({ spanId }) => spanId === inner.parentSpanId);
  expect(stages).toContain(stage?.name);
  expect(stage?.parentSpanId).toBe(spans.find(({ kind }) => kind === 'server')?.spanId);
  expect([stage?.kind, inner.kind]).toEqual(['internal', 'client']);
  expect(inner.start >= stage!.start && inner.end <= stage!.end).toBe(true);
}

describe('keys of an issuer', () => {
  async function setUpIssuer(): Promise<Stage & { readonly issuer: TokenIssuer }> {
    const issuer = await new TokenIssuer().start();
    closers.push(() => issuer.stop());
    const stage = await setUp((config) => {
      const keys = { $case: 'jwksUrl', jwksUrl: issuer.jwksUrl } as const;
      config.tenants[0]!.issuers = [Issuer.fromPartial({ issuer: issuer.url, audiences: ['shop'], keys })];
    });
    return { ...stage, issuer };
  }

  test('that are fetched are a span in authentication, of the calls that waited for them', async () => {
    const { issuer, client, backend, collector } = await setUpIssuer();
    const caller = client(issuer.token());
    const spansOf = async () => {
      expect((await caller.call('Unary')).code).toBe(0);
      return collector.trace(String(backend.last.metadata['x-request-id']));
    };
    const spans = await spansOf();
    const [fetched, ...others] = named(spans, 'tollgate.key_set');
    expect(others).toEqual([]);
    expectInside(spans, fetched!, ['tollgate.authenticate']);
    expect(fetched).toMatchObject({
      error: false,
      attributes: { 'http.request.method': 'GET', 'url.full': issuer.jwksUrl },
    });
    expect(named(await spansOf(), 'tollgate.key_set')).toEqual([]);
    // Another token, whose key is there: it is verified, and nothing is fetched.
    const second = client(issuer.token({ sub: 'bob' }));
    expect((await second.call('Unary')).code).toBe(0);
    const others2 = await collector.trace(String(backend.last.metadata['x-request-id']));
    expect(named(others2, 'tollgate.authenticate')).toHaveLength(1);
    expect(named(others2, 'tollgate.key_set')).toEqual([]);
  });

  test('that cannot be had are a span that failed', async () => {
    const { issuer, client, collector } = await setUpIssuer();
    issuer.answer = (_request, response) => response.writeHead(500).end();
    const refusal = refusalOf(await client(issuer.token()).call('Unary'));
    const spans = await collector.trace(refusal.metadata.request_id ?? '');
    const [fetched] = named(spans, 'tollgate.key_set');
    expectInside(spans, fetched!, ['tollgate.authenticate']);
    expect(fetched?.error).toBe(true);
  });
});

test('Redis is a span in the stages that asked it', async () => {
  const redis = await startRedis();
  closers.push(() => redis.stop());
  const { client, gateway, backend, collector } = await setUp((config) => {
    config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url: redis.url }) } };
  });
  expect((await client(gateway.key('alpha')).call('Unary')).code).toBe(0);
  const spans = await collector.trace(String(backend.last.metadata['x-request-id']));
  const asked = named(spans, 'tollgate.store');
  expect(asked.length).toBeGreaterThanOrEqual(1);
  for (const one of asked) {
    expectInside(spans, one, ['tollgate.rate_limit', 'tollgate.quota']);
    expect(one.attributes).toMatchObject({ 'db.system.name': 'redis' });
  }
});
