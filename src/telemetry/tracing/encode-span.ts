import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ProtobufWriter } from '../../grpc/protobuf-writer.ts';
import { ID_LENGTH, type RequestId, writeSpanOctets, writeTraceOctets } from '../../routing/request-id.ts';

/** As of `Span.SpanKind` (opentelemetry.proto.trace.v1). */
export const SpanKind = { INTERNAL: 1, SERVER: 2, CLIENT: 3 } as const;
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind];

export type AttributeValue = string | number | boolean;
/** Encoded, as `encodeAttribute` does; those that are undefined are left out. */
export type Attributes = readonly (Uint8Array | undefined)[];

export interface SpanFacts {
  /** Name and kind, as `repeatedName` encodes them. */
  readonly head: Uint8Array;
  /** Its number, of which and the trace's its id is made: see `RequestId.writeSpanId`. */
  readonly index: number;
  /** That of its parent; where this is in another process the 8 octets of its id. */
  readonly parent: number | Uint8Array | undefined;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly error: string | undefined;
  readonly attributes: Attributes;
  /** Of the span that has it as an attribute. */
  readonly requestId?: RequestId;
}

/** The trace that spans are of. */
export interface SpanTrace {
  /** The caller's, 16 octets; undefined: it begins with the call. */
  readonly foreignId: Uint8Array | undefined;
  /** Made for the call. */
  readonly uuid: RequestId;
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
const TRACE_ID_OCTETS = 16;
const SPAN_ID_OCTETS = 8;
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
/** What the spans of some twenty calls take; and what a writer keeps for the next batch. */
const FIRST_OCTETS = 16_384;
const MOST_KEPT = 1_048_576;
const WORD = 2 ** 32;
const HALF_WORD = 2 ** 16;
const SECOND = 1e9;

/**
 * Writes spans one behind the other, each as a `spans` field of `ScopeSpans`, into one buffer. One call in a hundred has spans, so that
 * whatever is done for it is cold: as pieces that are put together they took three times as long.
 */
export class SpanWriter extends ProtobufWriter {
  /** How many there are. */
  count = 0;

  constructor() {
    super(FIRST_OCTETS);
  }

  /** Begins anew: what `octets` gave is overwritten. */
  clear(): void {
    this.restart(FIRST_OCTETS, MOST_KEPT);
    this.count = 0;
  }

  /** @param epoch Unix milliseconds of the monotonic clock's zero */
  write({ foreignId, uuid }: SpanTrace, facts: SpanFacts, epoch: number): void {
    const { head, index, parent, startedAt, endedAt, error, requestId } = facts;
    const attributes = error === undefined ? facts.attributes : [...facts.attributes, encodeError(error)];
    const isOwnId = requestId?.own === '';
    const idAttribute = isOwnId ? REQUEST_ID : requestId && encodeRequestId(requestId.own);
    let length = FIXED_OCTETS + head.length + (idAttribute?.length ?? 0);
    if (parent !== undefined) length += SPAN_ID_FIELD;
    for (const attribute of attributes) if (attribute !== undefined) length += attribute.length;
    this.reserve(MAX_PREFIX + length);
    this.count++;
    this.buffer[this.at++] = (ScopeSpans.SPANS << 3) | WireType.LengthDelimited;
    this.varint(length);
    this.#header(Span.TRACE_ID, TRACE_ID_OCTETS);
    if (foreignId === undefined) writeTraceOctets(uuid, this.view, this.at);
    else this.buffer.set(foreignId, this.at);
    this.at += TRACE_ID_OCTETS;
    this.#spanId(Span.SPAN_ID, uuid, index);
    if (parent !== undefined) this.#spanId(Span.PARENT_SPAN_ID, uuid, parent);
    this.#time(Span.START_TIME, epoch + startedAt);
    this.#time(Span.END_TIME, epoch + endedAt);
    this.#flags(SAMPLED | IS_REMOTE_KNOWN | (typeof parent === 'object' ? IS_REMOTE : 0));
    this.set(head);
    for (const attribute of attributes) if (attribute !== undefined) this.set(attribute);
    if (idAttribute !== undefined) this.set(idAttribute);
    if (isOwnId) requestId.writeValue(this.buffer, this.at - ID_LENGTH);
  }

  /** @param octets at most 127 */
  #header(field: number, octets: number): void {
    this.buffer[this.at] = (field << 3) | WireType.LengthDelimited;
    this.buffer[this.at + 1] = octets;
    this.at += 2;
  }

  #spanId(field: number, uuid: RequestId, id: number | Uint8Array): void {
    this.#header(field, SPAN_ID_OCTETS);
    if (typeof id === 'number') writeSpanOctets(uuid, id, this.view, this.at);
    else this.buffer.set(id, this.at);
    this.at += SPAN_ID_OCTETS;
  }

  /** Nanoseconds, 64 bits, which no number has: in two words. @param ms Unix milliseconds */
  #time(field: number, ms: number): void {
    const seconds = Math.floor(ms / 1000);
    const nanoseconds = Math.round((ms - seconds * 1000) * 1e6);
    const upper = Math.floor(seconds / HALF_WORD) * SECOND;
    const lower = (seconds % HALF_WORD) * SECOND + (upper % HALF_WORD) * HALF_WORD + nanoseconds;
    const carried = Math.floor(lower / WORD);
    this.buffer[this.at] = (field << 3) | WireType.Bit64;
    this.view.setUint32(this.at + 1, lower % WORD, true);
    this.view.setUint32(this.at + 5, Math.floor(upper / HALF_WORD) + carried, true);
    this.at += TIME_FIELD;
  }

  /** A field number above 15 takes two octets. */
  #flags(flags: number): void {
    const tag = (Span.FLAGS << 3) | WireType.Bit32;
    this.buffer[this.at] = (tag & 0x7f) | 0x80;
    this.buffer[this.at + 1] = tag >>> 7;
    this.view.setUint32(this.at + 2, flags, true);
    this.at += FLAGS_FIELD;
  }
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

function encodeRequestId(text: string): Uint8Array {
  const writer = new BinaryWriter();
  encodeAttribute(writer, Span.ATTRIBUTES, 'tollgate.request_id', text);
  return writer.finish();
}

/** The attribute with the id of a request of ours, which stands at its end. */
const REQUEST_ID = encodeRequestId('0'.repeat(ID_LENGTH));
