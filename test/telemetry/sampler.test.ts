import { expect, test } from 'vitest';
import { planTracing } from '../../src/telemetry/tracing/plan-tracing.ts';
import { createSampler, type SamplingSettings } from '../../src/telemetry/tracing/sampler.ts';
import { createMethod } from './fixtures.ts';

const SETTINGS: SamplingSettings = { rules: [], ratio: 0.25, followParent: true, baggage: new Set() };
const METHOD = createMethod('pkg.Service/Method');
const TENANT = { id: 'acme', displayName: '', plan: 'free', suspended: false };

/** Share of 4,096 evenly spread traces that is sampled. */
function shareOf(settings: Partial<SamplingSettings>, tenant = TENANT, method = METHOD): number {
  const sampler = createSampler({ ...SETTINGS, ...settings });
  let sampled = 0;
  for (let i = 0; i < 4096; i++) {
    const traceId = `${'a'.repeat(24)}${(i * 2 ** 20).toString(16).padStart(8, '0')}`;
    if (
      sampler.sample({
        randomBits: Number.parseInt(traceId.slice(24), 16),
        parentSampled: undefined,
        tenant,
        method,
      })
    )
      sampled++;
  }
  return sampled / 4096;
}

test('a ratio is kept, and decided by the trace alone', () => {
  expect([shareOf({}), shareOf({ ratio: 0 }), shareOf({ ratio: 1 })]).toEqual([0.25, 0, 1]);
});

test('the first rule that fits decides', () => {
  const rules = [
    { tenant: 'other', method: '', ratio: 1 },
    { tenant: '', method: 'pkg.Serv', ratio: 1 },
    { tenant: 'acme', method: 'pkg.Service', ratio: 0.5 },
    { tenant: '', method: 'pkg.Service/Method', ratio: 0 },
  ];
  expect(shareOf({ rules })).toBe(0.5);
  expect(shareOf({ rules }, { ...TENANT, id: 'third' })).toBe(0);
  expect(shareOf({ rules }, TENANT, createMethod('pkg.Other/Method'))).toBe(0.25);
});

test("a tenant's caller decides for itself, a stranger does not", () => {
  const sample = (tenant: typeof TENANT | undefined, followParent: boolean) =>
    createSampler({ ...SETTINGS, ratio: 0, followParent }).sample({
      randomBits: 0x456789ab,
      parentSampled: true,
      tenant,
      method: METHOD,
    });
  expect([sample(TENANT, true), sample(TENANT, false), sample(undefined, true)]).toEqual([true, false, false]);
});

test.each([
  [{}, undefined],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:1' }, { protocol: 'http/protobuf', ratio: 0.01, followParent: true }],
  [{ OTEL_TRACES_EXPORTER: 'otlp' }, { protocol: 'http/protobuf', ratio: 0.01, followParent: true }],
  [{ OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:1' }, undefined],
  [{ OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:1' }, undefined],
  [
    {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:1',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
    },
    { protocol: 'grpc', ratio: 0.5, followParent: false },
  ],
  [
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_TRACES_SAMPLER: 'parentbased_always_off' },
    { protocol: 'http/protobuf', ratio: 0, followParent: true },
  ],
] as const)('of the environment %j comes %j', (env, expected) => {
  const plan = planTracing({ otlp: undefined, tracing: undefined }, env, { 'service.version': '1.2.3' });
  expect(
    plan && { protocol: plan.protocol, ratio: plan.sampling.ratio, followParent: plan.sampling.followParent },
  ).toEqual(expected);
});

test('what the configuration says wins over the environment', () => {
  const otlp = {
    endpoint: 'http://ours',
    protocol: undefined,
    serviceName: 'ours',
    resourceAttributes: { a: '1' },
    headers: {},
  };
  const env = { OTEL_SERVICE_NAME: 'theirs', OTEL_RESOURCE_ATTRIBUTES: 'a=2,b=3,%zz=%zz', OTEL_TRACES_SAMPLER: 'what' };
  const plan = planTracing({ otlp, tracing: undefined }, env, { 'service.version': '1.2.3' });
  expect(plan).toMatchObject({ endpoint: 'http://ours', protocol: 'grpc' });
  expect(plan?.resource).toEqual({ a: '1', b: '3', 'service.name': 'ours', 'service.version': '1.2.3' });
  expect(plan?.warnings).toEqual([expect.stringContaining('OTEL_TRACES_SAMPLER is "what"')]);
});
