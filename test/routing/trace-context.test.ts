import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Field, type WrittenField } from '../../src/http2/index.ts';
import { RequestId, writeSpanOctets, writeTraceOctets } from '../../src/routing/request-id.ts';
import {
  AttemptTraceparent,
  filterBaggage,
  ownTraceparent,
  parseTraceparent,
  traceIdOf,
} from '../../src/routing/trace-context.ts';

function octets(length: number, write: (view: DataView) => void): Buffer {
  const target = new ArrayBuffer(length);
  write(new DataView(target));
  return Buffer.from(target);
}

/** The value of a field that is written behind another. */
function written(field: WrittenField, last?: WrittenField): string {
  const target = Buffer.alloc(10 + (last?.length ?? 0) + field.length);
  const at = target.length - field.length;
  last?.writeValue(target, 3);
  field.writeValue(target, at, last, 3);
  return target.toString('latin1', at);
}

/** W3C Trace Context, section 3.2.2. */
function formatTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-0${sampled ? '1' : '0'}`;
}

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

test.each([
  [`00-${TRACE}-${SPAN}-01`, true],
  [`00-${TRACE}-${SPAN}-00`, false],
  [`00-${TRACE}-${SPAN}-03`, true],
  [`cc-${TRACE}-${SPAN}-01-what-comes`, true],
])('%s is read', (text, sampled) => {
  expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, sampled });
});

test.each([
  '',
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}-01.`,
  `ff-${TRACE}-${SPAN}-01`,
  `cc-${TRACE}-${SPAN}-01.more`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
])('%j is no traceparent', (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

test('what is written is read again, and ids of a call are well-formed and distinct', () => {
  fc.assert(
    fc.property(fc.uuid({ version: 7 }), fc.boolean(), (uuid, sampled) => {
      const traceId = traceIdOf(uuid);
      const id = RequestId.parse(uuid);
      const ids = Array.from({ length: 255 }, (_, index) =>
        octets(8, (view) => writeSpanOctets(id, index, view, 0)).toString('hex'),
      );
      expect(octets(16, (view) => writeTraceOctets(id, view, 0)).toString('hex')).toBe(traceId);
      expect(new Set(ids).size).toBe(255);
      for (const spanId of ids) {
        expect(parseTraceparent(formatTraceparent(traceId, spanId, sampled))).toEqual({ traceId, spanId, sampled });
      }
      ids.forEach((spanId, index) => {
        const span = { foreignTraceId: undefined, uuid: id, index, sampled };
        expect(written(new AttemptTraceparent(span))).toBe(formatTraceparent(traceId, spanId, sampled));
        const continued = new AttemptTraceparent({ ...span, foreignTraceId: TRACE });
        expect(written(continued)).toBe(formatTraceparent(TRACE, spanId, sampled));
      });
      expect(written(ownTraceparent(sampled), id)).toBe(formatTraceparent(traceId, ids[1]!, sampled));
    }),
    { numRuns: 20 },
  );
});

test('the room that a traceparent asks for is that of its name and its value', () => {
  const { name, length, size } = ownTraceparent(false);
  expect([name, length]).toEqual(['traceparent', formatTraceparent(TRACE, SPAN, false).length]);
  expect(size).toBe(new Field(name, formatTraceparent(TRACE, SPAN, false)).size);
});

test('a traceparent that is made of a request id is not sent without one', () => {
  expect(() => written(ownTraceparent(true))).toThrow('without the request id');
  expect(() => written(ownTraceparent(true), ownTraceparent(true))).toThrow('without the request id');
});

test.each([
  ['a=1,b=2;p=1, c = 3', 'b=2;p=1,c = 3'],
  ['a=1', undefined],
  ['b', undefined],
  ['b;x=1', undefined],
  ['=1,,b=2', 'b=2'],
  [`b=${'x'.repeat(9000)}`, undefined],
])('of baggage %j %j passes', (text, passed) => {
  expect(filterBaggage(text, new Set(['b', 'c']))).toBe(passed);
});
