import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ID_LENGTH, type RequestId } from '../../routing/request-id.ts';

/** As of `Span.SpanKind` (opentelemetry.proto.trace.v1). */
export const SpanKind = { INTERNAL: 1, SERVER: 2, CLIENT: 3 } as const;
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind];

export type AttributeValue = string | number | boolean;
/** Encoded, as `encodeAttribute` does; those that are undefined are left out. */
export type Attributes = readonly (Uint8Array | undefined)[];

export interface SpanFacts {
  /** Name and kind, as `repeatedName` encodes them. */
  readonly head: Uint8Array;
  /** Whether its parent is in another process. */
  readonly isRemote: boolean;
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

/** Octets of a span beside its head and attributes: ids, times and flags, each with its tag (and length). */
const TRACE_ID_FIELD = 18;
const SPAN_ID_FIELD = 10;
const TIME_FIELD = 9;
const FLAGS_FIELD = 6;
const FIXED_OCTETS = TRACE_ID_FIELD + SPAN_ID_FIELD + 2 * TIME_FIELD + FLAGS_FIELD;
const MAX_PREFIX = 6;

/**
 * A span as a `spans` field of `ScopeSpans`. It is written field by field: one call in a hundred has spans, so that whatever is done for
 * it is cold, and a writer's pieces took three times as long to make and to put together.
 * @param epoch Unix milliseconds of the monotonic clock's zero
 */
export function encodeSpan(traceId: Uint8Array, facts: SpanFacts, epoch: number): Uint8Array {
  const { head, isRemote, spanId, parentSpanId, startedAt, endedAt, error } = facts;
  const attributes = error === undefined ? facts.attributes : [...facts.attributes, encodeError(error)];
  let length = FIXED_OCTETS + head.length;
  if (parentSpanId !== undefined) length += SPAN_ID_FIELD;
  for (const attribute of attributes) if (attribute !== undefined) length += attribute.length;
  const span = Buffer.allocUnsafe(MAX_PREFIX + length);
  const begin = writeLength(span, length);
  let at = writeOctets(span, begin, Span.TRACE_ID, traceId);
  at = writeOctets(span, at, Span.SPAN_ID, spanId);
  if (parentSpanId !== undefined) at = writeOctets(span, at, Span.PARENT_SPAN_ID, parentSpanId);
  at = writeTime(span, at, Span.START_TIME, epoch + startedAt);
  at = writeTime(span, at, Span.END_TIME, epoch + endedAt);
  at = writeFlags(span, at, SAMPLED | IS_REMOTE_KNOWN | (isRemote ? IS_REMOTE : 0));
  span.set(head, at);
  at += head.length;
  for (const attribute of attributes) {
    if (attribute === undefined) continue;
    span.set(attribute, at);
    at += attribute.length;
  }
  return span.subarray(0, at);
}

/** @returns where the span begins, behind its tag and length */
function writeLength(span: Buffer, length: number): number {
  span[0] = (ScopeSpans.SPANS << 3) | WireType.LengthDelimited;
  let at = 1;
  let left = length;
  for (; left > 0x7f; left >>>= 7) span[at++] = (left & 0x7f) | 0x80;
  span[at++] = left;
  return at;
}

/** @param octets at most 127 */
function writeOctets(span: Buffer, at: number, field: number, octets: Uint8Array): number {
  span[at] = (field << 3) | WireType.LengthDelimited;
  span[at + 1] = octets.length;
  span.set(octets, at + 2);
  return at + 2 + octets.length;
}

/** @param ms Unix milliseconds */
function writeTime(span: Buffer, at: number, field: number, ms: number): number {
  span[at] = (field << 3) | WireType.Bit64;
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = BigInt(seconds) * 1_000_000_000n + BigInt(Math.round((ms - seconds * 1000) * 1e6));
  return span.writeBigUInt64LE(nanoseconds, at + 1);
}

/** A field number above 15 takes two octets. */
function writeFlags(span: Buffer, at: number, flags: number): number {
  const tag = (Span.FLAGS << 3) | WireType.Bit32;
  span[at] = (tag & 0x7f) | 0x80;
  span[at + 1] = tag >>> 7;
  return span.writeUInt32LE(flags, at + 2);
}

function encodeError(error: string): Uint8Array {
  const writer = new BinaryWriter();
  encodeAttribute(writer, Span.ATTRIBUTES, 'error.type', error);
  writer.tag(Span.STATUS, WireType.LengthDelimited).fork();
  writer.tag(Status.CODE, WireType.Varint).uint32(Status.ERROR).join();
  return writer.finish();
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

/** Values whose encoding is kept, of each attribute; strangers choose some of them. */
const MAX_KEPT = 1024;

/** Encodes a part of spans whose values repeat: it is done once for each value. */
function repeated<Value extends AttributeValue>(
  write: (writer: BinaryWriter, value: Value) => void,
): (value: Value) => Uint8Array {
  const kept = new Map<Value, Uint8Array>();
  const writer = new BinaryWriter();
  return (value) => {
    let octets = kept.get(value);
    if (octets === undefined) {
      write(writer, value);
      octets = writer.finish();
      if (kept.size >= MAX_KEPT) kept.clear();
      kept.set(value, octets);
    }
    return octets;
  };
}

/** Encodes names of spans, with their kind. */
export function repeatedName(kind: SpanKind): (name: string) => Uint8Array {
  return repeated((writer, name: string) => {
    writer.tag(Span.NAME, WireType.LengthDelimited).string(name);
    writer.tag(Span.KIND, WireType.Varint).uint32(kind);
  });
}

/** Encodes an attribute of spans whose values repeat. */
export function repeatedAttribute<Value extends AttributeValue>(
  name: string,
): (value: Value | undefined) => Uint8Array | undefined {
  const encode = repeated((writer, value: Value) => encodeAttribute(writer, Span.ATTRIBUTES, name, value));
  return (value) => (value === undefined ? undefined : encode(value));
}

/** Encodes several attributes that follow from one value. */
export function repeatedAttributes<Value extends AttributeValue>(
  list: (value: Value) => Readonly<Record<string, AttributeValue>>,
): (value: Value) => Uint8Array {
  return repeated((writer, value: Value) => {
    for (const [name, one] of Object.entries(list(value))) encodeAttribute(writer, Span.ATTRIBUTES, name, one);
  });
}

/** Encodes the attribute with a request's id: one of ours is written where it goes. */
export function requestIdAttribute(name: string): (id: RequestId) => Uint8Array {
  const writer = new BinaryWriter();
  const encode = (text: string) => {
    encodeAttribute(writer, Span.ATTRIBUTES, name, text);
    return writer.finish();
  };
  const ours = encode('0'.repeat(ID_LENGTH));
  return (id) => {
    if (id.own !== '') return encode(id.own);
    const octets = Buffer.from(ours);
    id.writeValue(octets, ours.length - ID_LENGTH);
    return octets;
  };
}
