import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ProtobufWriter } from '../../grpc/protobuf-writer.ts';
import { ID_LENGTH, type RequestId, writeSpanOctets, writeTraceOctets } from '../../routing/request-id.ts';

/** As of `Span.SpanKind` (opentelemetry.proto.trace.v1). */
export const SpanKind = { INTERNAL: 1, SERVER: 2, CLIENT: 3 } as const;
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind];

export type AttributeValue = string | number | boolean;

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
const TIME_OCTETS = 8;
const KeyValue = { KEY: 1, VALUE: 2 } as const;
const AnyValue = { STRING: 1, BOOL: 2, INT: 3 } as const;

// `SpanFlags`: the lower octet is the one of `traceparent`.
const SAMPLED = 0x01;
const IS_REMOTE_KNOWN = 0x100;
const IS_REMOTE = 0x200;

/** Octets of ids, times and flags, each with its tag (and length). */
const TRACE_ID_FIELD = 18;
const SPAN_ID_FIELD = 10;
const TIME_FIELD = 9;
const FLAGS_FIELD = 6;
/** With what stands before a span. */
const FIXED_OCTETS = TRACE_ID_FIELD + 2 * SPAN_ID_FIELD + 2 * TIME_FIELD + FLAGS_FIELD + 3;
/** Octets of texts and names with which all lengths within an attribute are of one octet. */
const SHORT_TEXT = 80;
const SHORT_NAME = 32;
const UTF8_OCTETS = 4;
/** What the spans of some twenty calls take; and what a writer keeps for the next batch. */
const FIRST_OCTETS = 16_384;
const MOST_KEPT = 1_048_576;
const WORD = 2 ** 32;
const HALF_WORD = 2 ** 16;
const SECOND = 1e9;

/**
 * Writes spans one behind the other, each as a `spans` field of `ScopeSpans`, into one buffer: `begin`, its attributes, `end`. One call
 * in a hundred has spans, so that whatever is done for it is cold: as pieces that are put together they took three times as long.
 */
export class SpanWriter extends ProtobufWriter {
  /** How many there are. */
  count = 0;
  /** Where the one that is written began. */
  #begin = 0;

  constructor() {
    super(FIRST_OCTETS);
  }

  /** Begins anew: what `octets` gave is overwritten. */
  clear(): void {
    this.restart(FIRST_OCTETS, MOST_KEPT);
    this.count = 0;
  }

  /** @param epoch Unix milliseconds of the monotonic clock's zero */
  begin({ foreignId, uuid }: SpanTrace, facts: SpanFacts, epoch: number): void {
    const { head, index, parent, startedAt, endedAt } = facts;
    this.reserve(FIXED_OCTETS + head.length);
    this.count++;
    this.tag(ScopeSpans.SPANS, WireType.LengthDelimited);
    this.#begin = this.beginMessage();
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
  }

  /** Adds attributes. @param octets as `encodeAttribute` makes them; undefined: none */
  add(octets: Uint8Array | undefined): void {
    if (octets === undefined) return;
    this.reserve(octets.length);
    this.set(octets);
  }

  /** Adds an attribute. @param value undefined: none */
  addText(attribute: TextAttribute, value: string | undefined): void {
    if (value === undefined) return;
    const { head } = attribute;
    this.reserve(head.length + SHORT_TEXT + UTF8_OCTETS);
    const { at, buffer } = this;
    const first = at + head.length;
    const octets = buffer.utf8Write(value, first, SHORT_TEXT + UTF8_OCTETS);
    if (octets > SHORT_TEXT) {
      this.add(attribute.encode(value));
      return;
    }
    this.set(head);
    buffer[at + ATTRIBUTE_LENGTH] = head.length + octets - ATTRIBUTE_LENGTH - 1;
    buffer[first - VALUE_LENGTH] = octets + 2;
    buffer[first - 1] = octets;
    this.at = first + octets;
  }

  /** Adds the attribute with the id of the request. */
  addRequestId(id: RequestId): void {
    if (id.own !== '') {
      this.addText(REQUEST_ID, id.own);
      return;
    }
    this.add(OWN_REQUEST_ID);
    id.writeValue(this.buffer, this.at - ID_LENGTH);
  }

  /** @param error of a span that failed */
  end(error: string | undefined): void {
    if (error !== undefined) this.add(encodeError(error));
    this.endMessage(this.#begin);
  }

  /** @param octets at most 127 */
  #header(field: number, octets: number): void {
    this.tag(field, WireType.LengthDelimited);
    this.buffer[this.at++] = octets;
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
    this.tag(field, WireType.Bit64);
    this.view.setUint32(this.at, lower % WORD, true);
    this.view.setUint32(this.at + 4, Math.floor(upper / HALF_WORD) + carried, true);
    this.at += TIME_OCTETS;
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

/** Where an attribute has its length, and how far before its text that of its value is. */
const ATTRIBUTE_LENGTH = 1;
const VALUE_LENGTH = 3;

/** An attribute whose values are as many as tenants or clients: it is written each time, for what is kept of them is in no cache. */
export class TextAttribute {
  /** All before the text, with octets in it for the lengths of the attribute, of its value and of the text. */
  readonly head: Uint8Array;
  readonly #name: string;

  /** @param name short, and of ASCII characters */
  constructor(name: string) {
    if (name.length > SHORT_NAME) throw new RangeError(`"${name}" is longer than ${SHORT_NAME} characters`);
    this.#name = name;
    this.head = this.encode('');
  }

  encode(value: string): Uint8Array {
    const writer = new BinaryWriter();
    encodeAttribute(writer, Span.ATTRIBUTES, this.#name, value);
    return writer.finish();
  }
}

declare global {
  // Node's own, older than its types.
  interface Buffer {
    utf8Write(text: string, offset?: number, length?: number): number;
  }
}

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

const REQUEST_ID = new TextAttribute('tollgate.request_id');
/** With the id of a request of ours, which stands at its end. */
const OWN_REQUEST_ID = REQUEST_ID.encode('0'.repeat(ID_LENGTH));
