import { type BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** As of `Span.SpanKind` (opentelemetry.proto.trace.v1). */
export const SpanKind = { INTERNAL: 1, SERVER: 2, CLIENT: 3 } as const;
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind];

export type AttributeValue = string | number | boolean;
/** Those without a value are left out. */
export type Attributes = readonly (readonly [name: string, value: AttributeValue | undefined])[];

export interface SpanFacts {
  readonly name: string;
  readonly kind: SpanKind;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly error: string | undefined;
  readonly attributes: Attributes;
}

// Field numbers of `opentelemetry.proto.trace.v1` and `.common.v1`.
const ScopeSpans = { SPANS: 2 } as const;
const Span = {
  TRACE_ID: 1,
  SPAN_ID: 2,
  PARENT_SPAN_ID: 4,
  NAME: 5,
  KIND: 6,
  START_TIME: 7,
  END_TIME: 8,
  ATTRIBUTES: 9,
  STATUS: 15,
  FLAGS: 16,
} as const;
const Status = { CODE: 3, ERROR: 2 } as const;
const KeyValue = { KEY: 1, VALUE: 2 } as const;
const AnyValue = { STRING: 1, BOOL: 2, INT: 3 } as const;

// `SpanFlags`: the lower octet is the one of `traceparent`.
const SAMPLED = 0x01;
const IS_REMOTE_KNOWN = 0x100;
const IS_REMOTE = 0x200;

/**
 * Writes a span as a `spans` field of `ScopeSpans`.
 * @param epoch Unix milliseconds of the monotonic clock's zero
 */
export function encodeSpan(writer: BinaryWriter, traceId: Uint8Array, facts: SpanFacts, epoch: number): void {
  const { name, kind, spanId, parentSpanId, startedAt, endedAt, error, attributes } = facts;
  writer.tag(ScopeSpans.SPANS, WireType.LengthDelimited).fork();
  writer.tag(Span.TRACE_ID, WireType.LengthDelimited).bytes(traceId);
  writer.tag(Span.SPAN_ID, WireType.LengthDelimited).bytes(Buffer.from(spanId, 'hex'));
  if (parentSpanId !== undefined)
    writer.tag(Span.PARENT_SPAN_ID, WireType.LengthDelimited).bytes(Buffer.from(parentSpanId, 'hex'));
  writer.tag(Span.NAME, WireType.LengthDelimited).string(name);
  writer.tag(Span.KIND, WireType.Varint).uint32(kind);
  writer.tag(Span.START_TIME, WireType.Bit64).fixed64(toNanoseconds(epoch + startedAt));
  writer.tag(Span.END_TIME, WireType.Bit64).fixed64(toNanoseconds(epoch + endedAt));
  encodeAttributes(writer, Span.ATTRIBUTES, attributes);
  if (error !== undefined) {
    encodeAttributes(writer, Span.ATTRIBUTES, [['error.type', error]]);
    writer.tag(Span.STATUS, WireType.LengthDelimited).fork();
    writer.tag(Status.CODE, WireType.Varint).uint32(Status.ERROR).join();
  }
  const isRemote = kind === SpanKind.SERVER && parentSpanId !== undefined;
  writer.tag(Span.FLAGS, WireType.Bit32).fixed32(SAMPLED | IS_REMOTE_KNOWN | (isRemote ? IS_REMOTE : 0));
  writer.join();
}

/** Writes a `KeyValue` for each. @param field its number in the message that has them */
export function encodeAttributes(writer: BinaryWriter, field: number, attributes: Attributes): void {
  for (const [name, value] of attributes) {
    if (value === undefined) continue;
    writer.tag(field, WireType.LengthDelimited).fork();
    writer.tag(KeyValue.KEY, WireType.LengthDelimited).string(name);
    writer.tag(KeyValue.VALUE, WireType.LengthDelimited).fork();
    if (typeof value === 'string') writer.tag(AnyValue.STRING, WireType.LengthDelimited).string(value);
    else if (typeof value === 'number') writer.tag(AnyValue.INT, WireType.Varint).int64(value);
    else writer.tag(AnyValue.BOOL, WireType.Varint).bool(value);
    writer.join().join();
  }
}

function toNanoseconds(ms: number): bigint {
  const seconds = Math.floor(ms / 1000);
  return BigInt(seconds) * 1_000_000_000n + BigInt(Math.round((ms - seconds * 1000) * 1e6));
}
