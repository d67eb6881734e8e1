import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** As of `Span.SpanKind` (opentelemetry.proto.trace.v1). */
export const SpanKind = { INTERNAL: 1, SERVER: 2, CLIENT: 3 } as const;
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind];

export type AttributeValue = string | number | boolean;
/** Encoded, as `encodeAttribute` does; those that are undefined are left out. */
export type Attributes = readonly (Uint8Array | undefined)[];

export interface SpanFacts {
  readonly name: string;
  readonly kind: SpanKind;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array | undefined;
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
  writer.tag(Span.SPAN_ID, WireType.LengthDelimited).bytes(spanId);
  if (parentSpanId !== undefined) writer.tag(Span.PARENT_SPAN_ID, WireType.LengthDelimited).bytes(parentSpanId);
  writer.tag(Span.NAME, WireType.LengthDelimited).string(name);
  writer.tag(Span.KIND, WireType.Varint).uint32(kind);
  writer.tag(Span.START_TIME, WireType.Bit64).fixed64(toNanoseconds(epoch + startedAt));
  writer.tag(Span.END_TIME, WireType.Bit64).fixed64(toNanoseconds(epoch + endedAt));
  for (const attribute of attributes) if (attribute !== undefined) writer.raw(attribute);
  if (error !== undefined) {
    encodeAttribute(writer, Span.ATTRIBUTES, 'error.type', error);
    writer.tag(Span.STATUS, WireType.LengthDelimited).fork();
    writer.tag(Status.CODE, WireType.Varint).uint32(Status.ERROR).join();
  }
  const isRemote = kind === SpanKind.SERVER && parentSpanId !== undefined;
  writer.tag(Span.FLAGS, WireType.Bit32).fixed32(SAMPLED | IS_REMOTE_KNOWN | (isRemote ? IS_REMOTE : 0));
  writer.join();
}

/** Writes a `KeyValue`. @param field its number in the message that has it */
export function encodeAttribute(writer: BinaryWriter, field: number, name: string, value: AttributeValue): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  writer.tag(KeyValue.KEY, WireType.LengthDelimited).string(name);
  writer.tag(KeyValue.VALUE, WireType.LengthDelimited).fork();
  if (typeof value === 'string') writer.tag(AnyValue.STRING, WireType.LengthDelimited).string(value);
  else if (typeof value === 'number') writer.tag(AnyValue.INT, WireType.Varint).int64(value);
  else writer.tag(AnyValue.BOOL, WireType.Varint).bool(value);
  writer.join().join();
}

/** Values of an attribute whose encoding is kept; strangers choose some of them. */
const MAX_KEPT = 1024;

/** Encodes an attribute of spans whose values repeat: one in a hundred calls has spans, and for it all that is done is cold. */
export function repeatedAttribute<Value extends AttributeValue>(
  name: string,
): (value: Value | undefined) => Uint8Array | undefined {
  const kept = new Map<Value, Uint8Array>();
  const writer = new BinaryWriter();
  return (value) => {
    if (value === undefined) return undefined;
    let octets = kept.get(value);
    if (octets === undefined) {
      encodeAttribute(writer, Span.ATTRIBUTES, name, value);
      octets = writer.finish();
      if (kept.size >= MAX_KEPT) kept.clear();
      kept.set(value, octets);
    }
    return octets;
  };
}

/** Encodes an attribute of a span whose values do not repeat. */
export function singleAttribute(name: string): (value: string) => Uint8Array {
  const writer = new BinaryWriter();
  return (value) => {
    encodeAttribute(writer, Span.ATTRIBUTES, name, value);
    return writer.finish();
  };
}

function toNanoseconds(ms: number): bigint {
  const seconds = Math.floor(ms / 1000);
  return BigInt(seconds) * 1_000_000_000n + BigInt(Math.round((ms - seconds * 1000) * 1e6));
}
