import { expect, it } from 'vitest';
import { EngineStream, State } from '../../../src/http2/engine-stream.ts';
import { ErrorCode, type Field, ResetCause } from '../../../src/http2/index.ts';
import { type Frame, frame, WorkBench } from '../fake-socket.ts';
import { block, Recorder, request } from '../support.ts';

// What the tables of this folder are made of: octets of a peer that breaks one rule, and the error that RFC 9113 asks for.

export const Type = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITY_FLAG = 0x20;
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** The frames that break the rule, after a proper handshake. A client's bench has stream 1 open, and its request ended. */
export type Feed = (bench: WorkBench) => readonly Buffer[];
export type Case = readonly [rule: string, code: number, feed: Feed];
export type Rule = readonly [rule: string, feed: Feed];

export function fields(more: Record<string, string> = {}): readonly Field[] {
  return request('/a', more).fields;
}

/** HEADERS of a request that goes on. */
export function open(bench: WorkBench, more: Record<string, string> = {}, id = 1): Buffer {
  return frame(Type.HEADERS, END_HEADERS, id, bench.encode(fields(more)));
}

/** HEADERS of a request that is complete. */
export function whole(bench: WorkBench, id = 1): Buffer {
  return frame(Type.HEADERS, END_HEADERS | END_STREAM, id, bench.encode(fields()));
}

/** HEADERS with just these fields, in this order. */
export function list(bench: WorkBench, pairs: readonly (readonly [string, string])[], flags = END_HEADERS): Buffer {
  return frame(Type.HEADERS, flags, 1, bench.encode(pairs.flatMap(([name, value]) => block({ [name]: value }).fields)));
}

/** HEADERS of a response on stream 1. */
export function respond(bench: WorkBench, status = '200', flags = END_HEADERS, more: Record<string, string> = {}) {
  return frame(Type.HEADERS, flags, 1, bench.encode(block({ ':status': status, ...more }).fields));
}

/** HEADERS of a trailer section on stream 1. */
export function trailers(bench: WorkBench, flags = END_HEADERS | END_STREAM): Buffer {
  return frame(Type.HEADERS, flags, 1, bench.encode(block({ 'grpc-status': '0' }).fields));
}

/** The code of the GOAWAY among the frames; undefined when there is none. */
export function goawayOf(frames: readonly Frame[]): number | undefined {
  return frames.find((one) => one.type === Type.GOAWAY)?.payload.readUInt32BE(4);
}

/** Stream and code of the RST_STREAMs among the frames. */
export function resetsOf(frames: readonly Frame[]): (readonly [id: number, code: number])[] {
  const resets = frames.filter((one) => one.type === Type.RST_STREAM);
  return resets.map((one) => [one.id, one.payload.readUInt32BE(0)]);
}

function server(naps = false): { bench: WorkBench; recorders: () => Recorder[] } {
  const bench = new WorkBench({ naps }).greet();
  return { bench, recorders: () => [...bench.recorders.values()] };
}

/** A client with the request of stream 1 out. */
export function client(endStream = true): { bench: WorkBench; recorder: Recorder; recorders: () => Recorder[] } {
  const bench = new WorkBench({ server: false }).greet();
  const recorder = new Recorder();
  const stream = new EngineStream(recorder);
  recorder.stream = stream;
  stream.state = State.HEADERS_SENT;
  bench.connection.open(stream, request('/a'), undefined, endStream);
  return { bench, recorder, recorders: () => [recorder] };
}

const roles = { server: () => server(), 'server that naps': () => server(true), client };
type Role = 'server' | 'client';

/** Each case of a server also for one that goes on, after each feed, from what it kept of itself. */
function inAll<T extends readonly unknown[]>(role: Role, cases: readonly T[]): [keyof typeof roles, ...T][] {
  const all = role === 'server' ? (['server', 'server that naps'] as const) : ([role] as const);
  return all.flatMap((each) => cases.map((one): [keyof typeof roles, ...T] => [each, ...one]));
}

/** Each case ends the connection (section 5.4.1): GOAWAY with its code, the streams told, the socket ended. */
export function endTheConnection(role: Role, cases: readonly Case[]): void {
  it.each(inAll(role, cases))('%s: ends the connection for %s', async (role, _rule, code, feed) => {
    const { bench } = roles[role]();
    const octets = feed(bench);
    for (const each of octets.slice(0, -1)) bench.feed(each);
    const open = bench.connection.streams.list();
    bench.feed(octets.at(-1) ?? Buffer.alloc(0));
    expect(goawayOf(await bench.frames())).toBe(code);
    expect(bench.socket.ended).toBe(true);
    for (const { handler } of open) expect(handler).toMatchObject({ cause: ResetCause.CONNECTION });
    expect(bench.connection.streams.count).toBe(0);
    expect(bench.errors).toEqual([]);
  });
}

/** Each case resets stream 1 with its code (section 5.4.2), and the connection goes on. */
export function resetTheStream(role: Role, cases: readonly Case[]): void {
  it.each(inAll(role, cases))('%s: resets the stream for %s, and goes on', async (role, _rule, code, feed) => {
    const { bench, recorders } = roles[role]();
    for (const octets of feed(bench)) bench.feed(octets);
    const frames = await bench.frames();
    expect(goawayOf(frames)).toBeUndefined();
    expect(resetsOf(frames)).toEqual([[1, code]]);
    const [recorder] = recorders();
    if (recorder?.cause !== undefined && recorder.cause !== ResetCause.PEER) {
      expect([recorder.code, recorder.cause]).toEqual([code, ResetCause.PROTOCOL]);
    }
    await goesOn(bench);
  });
}

/** Each case is fine: nothing is reset, nothing ends. */
export function areAccepted(role: Role, rules: readonly Rule[]): void {
  it.each(inAll(role, rules))('%s: accepts %s', async (role, _rule, feed) => {
    const { bench, recorders } = roles[role]();
    for (const octets of feed(bench)) bench.feed(octets);
    const frames = await bench.frames();
    expect(goawayOf(frames)).toBeUndefined();
    expect(resetsOf(frames)).toEqual([]);
    for (const recorder of recorders()) expect([undefined, ResetCause.PEER]).toContain(recorder.cause);
    await goesOn(bench);
  });
}

/** The connection still works: PING is answered, and a server takes another request. */
async function goesOn(bench: WorkBench): Promise<void> {
  bench.feed(frame(Type.PING, 0, 0, 'pingpong'));
  if (bench.connection.server) bench.feed(whole(bench, 99));
  const frames = await bench.frames();
  expect(frames.find((one) => one.type === Type.PING)?.payload.toString()).toBe('pingpong');
  if (bench.connection.server) expect(bench.recorders.get(99)?.events).toEqual(['request.']);
  expect(bench.errors).toEqual([]);
}

export const {
  PROTOCOL_ERROR,
  FRAME_SIZE_ERROR,
  FLOW_CONTROL_ERROR,
  STREAM_CLOSED,
  COMPRESSION_ERROR,
  REFUSED_STREAM,
} = ErrorCode;
