import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RequestId } from '../../src/routing/request-id.ts';
import { traceIdOf } from '../../src/routing/trace-context.ts';
import { createBatchEncoder } from '../../src/telemetry/tracing/encode-batch.ts';
import {
  repeatedAttribute,
  repeatedName,
  SpanKind,
  SpanWriter,
  TextAttribute,
} from '../../src/telemetry/tracing/encode-span.ts';
import { ExportTraceServiceRequest } from '../support/otlp-codec.ts';

const encode = createBatchEncoder({
  resource: { 'service.name': 'tollgate' },
  scope: { name: 'tollgate', version: '1.2.3' },
});
const head = repeatedName(SpanKind.SERVER);
const tenant = new TextAttribute('tollgate.tenant');
const backend = repeatedAttribute<string>('tollgate.backend');

/** From 1970 to 2100, and of a call some microseconds or a day. */
const EPOCH = { min: 0, max: 4.1e12, noNaN: true };
const AFTER = { min: 0, max: 86_400_000, noNaN: true };
const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
/** Beside which a span is longer than most. */
const long = fc.constantFrom('x'.repeat(80), 'x'.repeat(81), 'x'.repeat(20_000));
const span = fc.record({
  uuid: fc.uuid({ version: 7 }),
  own: fc.option(fc.stringMatching(/^[a-z0-9]{8,40}$/), { nil: undefined }),
  foreignId: fc.option(octets(16), { nil: undefined }),
  name: fc.string({ maxLength: 300 }),
  index: fc.nat(254),
  parent: fc.oneof(fc.constant(undefined), fc.nat(254), octets(8)),
  startedAt: fc.double(AFTER),
  endedAt: fc.double(AFTER),
  error: fc.option(fc.constantFrom('RATE_LIMITED', 'UNAVAILABLE'), { nil: undefined }),
  tenantId: fc.option(fc.oneof(fc.string({ maxLength: 100 }), fc.string({ unit: 'binary', maxLength: 20 }), long), {
    nil: undefined,
  }),
});

const hex = (part: Uint8Array | null | undefined) => Buffer.from(part ?? []).toString('hex');

/** As the last 8 octets of the UUID, the first of them the number. */
function spanIdOf(uuid: string, index: number): string {
  const digits = traceIdOf(uuid);
  return (index + 1).toString(16).padStart(2, '0') + digits.slice(18);
}

test('spans are written as the published protos read them', () => {
  const writer = new SpanWriter();
  fc.assert(
    fc.property(fc.array(span, { maxLength: 40 }), fc.double(EPOCH), (facts, epoch) => {
      writer.clear();
      for (const { uuid, own, foreignId, name, parent, error, tenantId, ...rest } of facts) {
        writer.begin({ foreignId, uuid: RequestId.parse(uuid) }, { ...rest, head: head(name), parent }, epoch);
        writer.addText(tenant, tenantId);
        writer.add(backend(tenantId));
        writer.addRequestId(own === undefined ? RequestId.parse(uuid) : RequestId.ofClient(own));
        writer.end(error);
      }
      const { resourceSpans } = ExportTraceServiceRequest.decode(encode(writer));
      const [{ scope, spans } = { spans: [] }] = resourceSpans[0]?.scopeSpans ?? [];
      expect(scope).toMatchObject({ name: 'tollgate', version: '1.2.3' });
      expect([spans.length, writer.count]).toEqual([facts.length, facts.length]);
      facts.forEach((fact, i) => {
        const read = spans[i]!;
        const { uuid, parent } = fact;
        expect(hex(read.traceId)).toBe(fact.foreignId === undefined ? traceIdOf(uuid) : hex(fact.foreignId));
        expect(hex(read.spanId)).toBe(spanIdOf(uuid, fact.index));
        const parentId = typeof parent === 'number' ? spanIdOf(uuid, parent) : hex(parent);
        expect(hex(read.parentSpanId)).toBe(parentId);
        expect([read.name, read.status?.code ?? 0]).toEqual([fact.name, fact.error === undefined ? 0 : 2]);
        expect(BigInt(read.startTimeUnixNano.toString())).toBe(nanoseconds(epoch + fact.startedAt));
        expect(BigInt(read.endTimeUnixNano.toString())).toBe(nanoseconds(epoch + fact.endedAt));
        const attributes = Object.fromEntries(read.attributes.map(({ key, value }) => [key, value?.stringValue]));
        expect(attributes).toEqual({
          ...(fact.tenantId !== undefined && { 'tollgate.tenant': fact.tenantId, 'tollgate.backend': fact.tenantId }),
          ...(fact.error !== undefined && { 'error.type': fact.error }),
          'tollgate.request_id': fact.own ?? uuid,
        });
      });
    }),
    { numRuns: 200 },
  );
});

/** Of milliseconds, as far as a double has them. */
function nanoseconds(ms: number): bigint {
  const seconds = Math.floor(ms / 1000);
  return BigInt(seconds) * 1_000_000_000n + BigInt(Math.round((ms - seconds * 1000) * 1e6));
}
