import { WireType } from '@bufbuild/protobuf/wire';
import type { Duration } from '../../generated/google/protobuf/duration.ts';
import { type CallSeries, GetMetricsResponse, type Latency } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { ProtobufWriter } from '../grpc/protobuf-writer.ts';

// Field numbers of `tollgate.metrics.v1` and `google.protobuf`.
const Answer = { SERIES: 1 } as const;
const Series = {
  TENANT_ID: 1,
  METHOD: 2,
  STATUS: 3,
  CALLS: 4,
  LATENCY: 5,
  FAILURES: 6,
  REQUEST_MESSAGES: 7,
  RESPONSE_MESSAGES: 8,
  REQUEST_BYTES: 9,
  RESPONSE_BYTES: 10,
  BACKEND_LATENCY: 11,
  GATEWAY_LATENCY: 12,
} as const;
const Times = { P50: 1, P90: 2, P99: 3, MAX: 4, SUM: 5, COUNT: 6 } as const;
const Time = { SECONDS: 1, NANOS: 2 } as const;

/** Octets of a series beside its texts, at most: of its numbers nine each and of its latencies less than 128, with their tags. */
const NUMBERS_OCTETS = 512;
const UTF8_OCTETS = 3;
/** A length of one octet is below. */
const ONE_OCTET = 128;

/** What a series takes, mostly. */
const SERIES_OCTETS = 200;
/** Of the rest of an answer. */
const REST_OCTETS = 8192;

const EMPTY = GetMetricsResponse.fromPartial({});

/**
 * Encodes series, one behind the other, as an answer that has them (protobuf, "Merge Protocol Buffers": answers behind each other
 * are one). It writes them field by field into one buffer, where the generated code puts twenty pieces together for each: 1 us
 * where those take 5, and a thousand series are told each second.
 */
export class SeriesEncoder extends ProtobufWriter {
  /** @param count how many it is going to be, or so */
  constructor(count: number) {
    super(count * SERIES_OCTETS + REST_OCTETS);
  }

  encode(series: CallSeries): void {
    const { latency, backendLatency, gatewayLatency } = series;
    const hasHistogram = [latency, backendLatency, gatewayLatency].some((each) => each?.histogram !== undefined);
    if (hasHistogram) {
      this.#append(GetMetricsResponse.encode({ ...EMPTY, series: [series] }).finish());
      return;
    }
    const texts = series.tenantId.length + series.method.length + series.status.length;
    this.reserve(NUMBERS_OCTETS + UTF8_OCTETS * texts);
    this.tag(Answer.SERIES, WireType.LengthDelimited);
    const begin = this.beginMessage();
    this.#writeSeries(series);
    this.endMessage(begin);
  }

  /** @param rest of the answer, encoded @returns all of it; nothing may be encoded any more */
  finish(rest: Uint8Array): Uint8Array {
    this.#append(rest);
    return this.octets;
  }

  #append(octets: Uint8Array): void {
    this.reserve(octets.length);
    this.set(octets);
  }

  #writeSeries(series: CallSeries): void {
    this.#text(Series.TENANT_ID, series.tenantId);
    this.#text(Series.METHOD, series.method);
    this.#text(Series.STATUS, series.status);
    this.#number(Series.CALLS, series.calls);
    this.#latency(Series.LATENCY, series.latency);
    this.#number(Series.FAILURES, series.failures);
    this.#number(Series.REQUEST_MESSAGES, series.requestMessages);
    this.#number(Series.RESPONSE_MESSAGES, series.responseMessages);
    this.#number(Series.REQUEST_BYTES, series.requestBytes);
    this.#number(Series.RESPONSE_BYTES, series.responseBytes);
    this.#latency(Series.BACKEND_LATENCY, series.backendLatency);
    this.#latency(Series.GATEWAY_LATENCY, series.gatewayLatency);
  }

  #latency(field: number, latency: Latency | undefined): void {
    if (latency === undefined) return;
    const begin = this.#open(field);
    this.#duration(Times.P50, latency.p50);
    this.#duration(Times.P90, latency.p90);
    this.#duration(Times.P99, latency.p99);
    this.#duration(Times.MAX, latency.max);
    this.#duration(Times.SUM, latency.sum);
    this.#number(Times.COUNT, latency.count);
    this.#close(begin);
  }

  #duration(field: number, duration: Duration | undefined): void {
    if (duration === undefined) return;
    const begin = this.#open(field);
    this.#number(Time.SECONDS, duration.seconds);
    this.#number(Time.NANOS, duration.nanos);
    this.#close(begin);
  }

  /** Begins a message of less than 128 octets, whose length is still to be written in front of it. */
  #open(field: number): number {
    this.tag(field, WireType.LengthDelimited);
    return ++this.at;
  }

  /** Ends what `open` began. */
  #close(begin: number): void {
    this.buffer[begin - 1] = this.at - begin;
  }

  #text(field: number, text: string): void {
    if (text === '') return;
    this.tag(field, WireType.LengthDelimited);
    if (text.length < ONE_OCTET && this.#writeAscii(text)) return;
    this.varint(Buffer.byteLength(text));
    this.at += this.buffer.write(text, this.at);
  }

  /**
   * Writes a short text with its length, if it has ASCII characters alone: most labels do, and two calls into Node for each take longer
   * than all of the series' numbers.
   */
  #writeAscii(text: string): boolean {
    const { buffer } = this;
    const begin = this.at + 1;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= ONE_OCTET) return false;
      buffer[begin + i] = unit;
    }
    buffer[this.at] = text.length;
    this.at = begin + text.length;
    return true;
  }

  #number(field: number, value: number): void {
    if (value === 0) return;
    this.tag(field, WireType.Varint);
    this.varint(value);
  }
}
