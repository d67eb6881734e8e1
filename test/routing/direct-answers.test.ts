import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { ErrorCode, type ExtraField, Field, HeaderBlock, ResetCause, type Stream } from '../../src/http2/index.ts';
import { DIRECT_HEADER, DirectAnswers, type DirectWriter } from '../../src/routing/direct-answers.ts';
import { Kind } from '../../src/routing/header-names.ts';

const PIECE = 32_768;
const block = (name: string, value: string) => new HeaderBlock([new Field(name, value, Kind.OTHER)]);
const REQUEST = block(':path', '/tollgate.metrics.v1.MetricsService/WatchMetrics');
const ANSWER = block(':status', '200');
const TRAILERS = block('grpc-status', '0');

/** What the user of the stream has seen, and what came to the wire. */
let seen: unknown[];
let wire: string[];
let stream: Stream;
let writer: DirectWriter;
let answers: DirectAnswers;
let number: string;
/** Octets that the user gives back at once; and what it throws. */
let takes: boolean;
let fault: Error | undefined;

const socket: Stream = {
  id: 7,
  queued: 3,
  connection: undefined,
  handler: undefined as never,
  sendHeaders: () => {},
  sendData: (_buffer, start, end) => end - start,
  sendTrailers: () => {},
  consume: (octets) => void wire.push(`consume ${octets}`),
  reset: (code) => void wire.push(`reset ${code}`),
};
let fromWire: Parameters<DirectAnswers['request']>[1];

beforeEach(() => {
  seen = [];
  wire = [];
  takes = true;
  fault = undefined;
  answers = new DirectAnswers((error) => seen.push(error));
  let extras: readonly ExtraField[] = [];
  const client = {
    request(handler: typeof fromWire, _block: HeaderBlock, extra: readonly ExtraField[] | undefined): Stream {
      fromWire = handler;
      extras = extra ?? [];
      return socket;
    },
  };
  const user: typeof fromWire = {
    onHeaders: (_stream, { fields }) => void seen.push(fields[0]?.value),
    onData(of, buffer, start, end) {
      if (fault !== undefined) throw fault;
      seen.push(buffer.toString('latin1', start, end));
      if (takes) of.consume(end - start);
    },
    onTrailers: (_stream, { fields }) => void seen.push(fields[0]?.name),
    onSent: (_stream, octets) => void seen.push(octets),
    onReset: (_stream, _code, cause) => void seen.push(cause),
  };
  stream = answers.request(client, user, REQUEST, [], true);
  const told = extras.find(({ name }) => name === DIRECT_HEADER);
  number = told instanceof Field ? told.value : '';
  writer = answers.writerOf(number)!;
});

async function turns(count = 1): Promise<void> {
  for (let i = 0; i < count; i++) await setImmediate();
}

test('what a service writes comes behind its headers, whenever it was written', async () => {
  writer.write(Buffer.from('early'));
  await turns();
  expect(seen).toEqual([]);
  fromWire.onHeaders(socket, ANSWER, false);
  expect(seen).toEqual(['200']);
  await turns(2);
  expect(seen).toEqual(['200', 'early']);
  expect(writer.isReady).toBe(true);
  writer.write(Buffer.from('late'));
  await turns(2);
  expect(seen).toEqual(['200', 'early', 'late']);
  expect(wire).toEqual([]);
});

test('a long message goes out in pieces, one in a turn', async () => {
  fromWire.onHeaders(socket, ANSWER, false);
  const message = Buffer.alloc(2.5 * PIECE, 'x');
  writer.write(message);
  for (let pieces = 1; pieces <= 3; pieces++) {
    expect(seen).toHaveLength(1 + pieces);
    expect(writer.isReady).toBe(pieces === 3);
    await turns();
  }
  expect(seen.slice(1).join('')).toBe(message.toString('latin1'));
});

test('who takes nothing is given one piece, and the writer is not ready until all was taken', async () => {
  takes = false;
  fromWire.onHeaders(socket, ANSWER, false);
  writer.write(Buffer.alloc(PIECE + 1, 'x'));
  await turns(3);
  expect(seen).toHaveLength(2);
  stream.consume(PIECE - 1);
  await turns(3);
  expect(seen).toHaveLength(2);
  stream.consume(1);
  await turns(3);
  expect(seen).toHaveLength(3);
  expect(writer.isReady).toBe(false);
  stream.consume(1);
  expect(writer.isReady).toBe(true);
  await turns(3);
  expect(seen).toHaveLength(3);
  expect(wire).toEqual([]);
});

test('whether its messages may be compressed is what its client says', () => {
  const accepts = (encodings: string) => {
    let told = '';
    const client = {
      request(_handler: typeof fromWire, _block: HeaderBlock, extra: readonly ExtraField[] | undefined): Stream {
        told = extra?.flatMap((field) => (field instanceof Field ? field.value : []))[0] ?? '';
        return socket;
      },
    };
    answers.request(client, stream.handler, block('grpc-accept-encoding', encodings), [], true);
    return answers.writerOf(told)?.acceptsGzip;
  };
  expect(['identity,deflate,gzip', 'gzip', 'identity, gzip ,br'].map(accepts)).toEqual([true, true, true]);
  expect(['identity', '', 'x-gzip', 'gzipped'].map(accepts)).toEqual([false, false, false, false]);
  expect(writer.acceptsGzip).toBe(false);
});

test('trailers wait for what was written before them', async () => {
  takes = false;
  fromWire.onHeaders(socket, ANSWER, false);
  writer.write(Buffer.from('last'));
  await turns();
  fromWire.onTrailers(socket, TRAILERS);
  await turns(2);
  expect(seen).toEqual(['200', 'last']);
  stream.consume(4);
  await turns();
  expect(seen).toEqual(['200', 'last', 'grpc-status']);
});

test('trailers come at once where nothing was written', () => {
  fromWire.onHeaders(socket, ANSWER, false);
  fromWire.onTrailers(socket, TRAILERS);
  expect(seen).toEqual(['200', 'grpc-status']);
});

test('what comes over the wire is given back to the wire', () => {
  fromWire.onHeaders(socket, ANSWER, false);
  fromWire.onData(socket, Buffer.from('a message'), 2, 9, false);
  expect(seen).toEqual(['200', 'message']);
  expect(wire).toEqual(['consume 7']);
});

test('what its user throws ends this call, and nothing else', async () => {
  fromWire.onHeaders(socket, ANSWER, false);
  fault = new Error('a fault of ours');
  writer.write(Buffer.from('message'));
  await turns(2);
  expect(seen).toEqual(['200', fault, ResetCause.CONNECTION]);
  expect(wire).toEqual([`reset ${ErrorCode.INTERNAL_ERROR}`]);
  expect(answers.writerOf(number)).toBeUndefined();
});

test("is the wire's stream in all else", () => {
  expect([stream.id, stream.queued, stream.sendData(Buffer.alloc(5), 0, 5, true)]).toEqual([7, 3, 5]);
  fromWire.onSent(socket, 12);
  expect(seen).toEqual([12]);
});

describe('of a call that is over nothing is left, and nothing is sent any more,', () => {
  const ends: Record<string, () => void> = {
    'its client cancelled': () => stream.reset(ErrorCode.CANCEL),
    'its connection was lost': () => fromWire.onReset(socket, ErrorCode.CANCEL, ResetCause.CONNECTION),
    'it was refused': () => fromWire.onHeaders(socket, ANSWER, true),
  };
  test.each(Object.entries(ends))('%s', async (_how, end) => {
    takes = false;
    writer.write(Buffer.alloc(3 * PIECE, 'x'));
    end();
    const before = seen.length;
    expect(answers.writerOf(number)).toBeUndefined();
    expect(writer.isReady).toBe(true);
    stream.consume(PIECE);
    writer.write(Buffer.from('too late'));
    await turns(2);
    expect(writer.isReady).toBe(true);
    expect(seen).toHaveLength(before);
  });

  test('its answer has ended', () => {
    fromWire.onHeaders(socket, ANSWER, false);
    fromWire.onTrailers(socket, TRAILERS);
    expect(answers.writerOf(number)).toBeUndefined();
  });
});
