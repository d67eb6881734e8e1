import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GetMetricsResponse } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { SeriesEncoder } from '../../src/metrics/encode-series.ts';

const count = fc.oneof(fc.nat(200), fc.maxSafeNat());
const duration = fc.option(fc.record({ seconds: count, nanos: fc.nat(999_999_999) }), { nil: undefined });
const histogram = fc.record({ buckets: fc.array(fc.nat(2047)), counts: fc.array(fc.maxSafeNat()) });
const latency = fc.option(
  fc.record({
    p50: duration,
    p90: duration,
    p99: duration,
    max: duration,
    sum: duration,
    count,
    histogram: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, histogram),
  }),
  { nil: undefined },
);
const name = fc.oneof(fc.constant(''), fc.string({ unit: 'binary' }), fc.string({ minLength: 100, maxLength: 20_000 }));
const series = fc.record({
  tenantId: name,
  method: name,
  status: fc.constantFrom('', 'OK', 'RESOURCE_EXHAUSTED'),
  calls: count,
  latency,
  failures: count,
  requestMessages: count,
  responseMessages: count,
  requestBytes: count,
  responseBytes: count,
  backendLatency: latency,
  gatewayLatency: latency,
});

test('a series is encoded as by the generated code, whatever it has', () => {
  fc.assert(
    fc.property(fc.array(series, { maxLength: 4 }), (all) => {
      const omittedSeries = all.length;
      const generated = GetMetricsResponse.encode(
        GetMetricsResponse.fromPartial({ series: all, omittedSeries }),
      ).finish();
      const encoder = new SeriesEncoder(all.length);
      for (const one of all) encoder.encode(one);
      const rest = GetMetricsResponse.encode(GetMetricsResponse.fromPartial({ omittedSeries })).finish();
      expect(Buffer.from(encoder.finish(rest)).equals(generated)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
