import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Breaker } from '../../generated/tollgate/config/v1/config.ts';
import { GRPC_HEADERS, healthy, reset } from '../support/behaviours.ts';
import { everythingPath } from '../support/everything-methods.ts';
import {
  data,
  Flag,
  FrameType,
  frame,
  goaway,
  grpcMessage,
  headerBlock,
  headers,
  rstStream,
} from '../support/frames.ts';
import { GrpcClient, type Observation } from '../support/grpc-client.ts';
import { grpcRequest, H2Client, HELLO } from '../support/h2-client.ts';
import { type Behaviour, RawBackend } from '../support/raw-backend.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// What a backend does on the wire, and the status that gRPC over HTTP/2 gives it; and that a call goes to the backend once.

const { CANCELLED, INTERNAL, OK, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE, UNKNOWN } = status;
const END = Flag.END_STREAM | Flag.END_HEADERS;
const MESSAGE = grpcMessage(Buffer.from('hello'));
const PATIENCE_MS = 10_000;

type Answer = (stream: number) => readonly Buffer[];
const answer = (frames: Answer): Behaviour => ({
  onRequestEnd: (connection, stream) => connection.send(...frames(stream)),
});
const begin = (stream: number) => headers(stream, GRPC_HEADERS);
const trailersOf = (stream: number, code: string) => headers(stream, [['grpc-status', code]], END);
const informational = (stream: number, code: string) => headers(stream, [[':status', code]]);
/** A whole good response. */
const whole: Answer = (stream) => [begin(stream), data(stream, MESSAGE), trailersOf(stream, '0')];

let backend: RawBackend;
let gateway: TestGateway;
let client: GrpcClient;

beforeAll(async () => {
  backend = await new RawBackend(healthy).start();
  gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      // Out of the way: what is looked at is one call, and one attempt.
      config.backends[0]!.breaker = Breaker.fromPartial({ minCalls: 1_000_000 });
      config.backends[0]!.retry = { maxAttempts: 1 };
    },
  });
  client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
});
afterAll(async () => {
  client?.close();
  await gateway?.stop();
  await backend?.stop();
});
beforeEach(() => recovered());

/** The backend behaves again: calls, until the gateway has found it. The test's timeout bounds it. */
async function recovered(): Promise<void> {
  backend.behaviour = healthy;
  for (;;) {
    const observed = await client.call('Unary', { timeoutMs: PATIENCE_MS });
    if (observed.code === OK) return;
    await new Promise((resolve) => setTimeout(resolve, Math.min(refusalOf(observed).retryDelayMs ?? 10, 50)));
  }
}

/** One call; it must have gone to the backend once. */
async function call(behaviour: Behaviour, method: 'Unary' | 'ServerStream' = 'Unary'): Promise<Observation> {
  backend.behaviour = behaviour;
  const before = backend.requests;
  const observed = await client.call(method, { timeoutMs: PATIENCE_MS });
  expect(backend.requests - before).toBe(1);
  return observed;
}

describe('RST_STREAM of a backend', () => {
  // gRPC over HTTP/2, "Errors". What is in no table is INTERNAL (RFC 9113 section 7).
  const statusOf = (code: number): number =>
    ({ 7: UNAVAILABLE, 8: CANCELLED, 11: RESOURCE_EXHAUSTED, 12: PERMISSION_DENIED })[code] ?? INTERNAL;

  test.each(Object.entries(reset))('%s has the status of its code, and is not repeated', async (_when, behaviour) => {
    for (const code of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xffffffff]) {
      expect([code, (await call(behaviour(code))).code]).toEqual([code, statusOf(code)]);
    }
  });

  test('behind the trailers changes nothing', async () => {
    for (const code of [0, 2, 7, 8]) {
      const observed = await call(answer((stream) => [...whole(stream), rstStream(stream, code)]));
      expect([observed.code, observed.messages]).toEqual([OK, [Buffer.from('hello')]]);
    }
  });

  test('within a header block loses the connection', async () => {
    const observed = await call(
      answer((stream) => [frame(FrameType.HEADERS, 0, stream, headerBlock(GRPC_HEADERS)), rstStream(stream, 8)]),
    );
    expect(observed.code).toBe(UNAVAILABLE);
  });
});

describe('a response', () => {
  test.each<[string, Answer, number]>([
    ['behind 100 and 103', (s) => [informational(s, '100'), informational(s, '103'), ...whole(s)], OK],
    ['with DATA behind its trailers', (s) => [...whole(s), data(s, MESSAGE)], OK],
    ['with HEADERS behind its trailers', (s) => [...whole(s), trailersOf(s, '5')], OK],
    ['with its headers twice', (s) => [begin(s), begin(s), data(s, MESSAGE), trailersOf(s, '0')], INTERNAL],
    ['with 101', (s) => [informational(s, '101'), ...whole(s)], INTERNAL],
    ['with 1xx that ends it', (s) => [headers(s, [[':status', '103']], END)], INTERNAL],
    ['with :status twice', (s) => [headers(s, [[':status', '200'], ...GRPC_HEADERS]), trailersOf(s, '0')], INTERNAL],
    ['with a grpc-status above 16', (s) => [begin(s), trailersOf(s, '17')], 17],
    ['with a grpc-status that is no number', (s) => [begin(s), trailersOf(s, 'OK')], UNKNOWN],
    ['with an empty grpc-status', (s) => [begin(s), trailersOf(s, '')], UNKNOWN],
    [
      'with two opinions on grpc-status',
      (s) => [
        begin(s),
        headers(
          s,
          [
            ['grpc-status', '0'],
            ['grpc-status', '13'],
          ],
          END,
        ),
      ],
      UNKNOWN,
    ],
    ['that never begins: GOAWAY below it', () => [goaway(0, 0)], UNAVAILABLE],
    ['that has begun: GOAWAY below it', (s) => [begin(s), goaway(0, 0)], UNAVAILABLE],
    [
      'that has begun: GOAWAY below it, and an end all the same',
      (s) => [begin(s), goaway(0, 0), ...whole(s).slice(1)],
      UNAVAILABLE,
    ],
    ['in spite of GOAWAY that does not mean it', (s) => [goaway(s, 0), ...whole(s)], OK],
  ])('%s has its status, and the next call is fine', async (_what, frames, expected) => {
    const observed = await call(answer(frames));
    expect(observed.code).toBe(expected);
    await recovered();
  });

  test('hands on fields that come twice, in their order, and nothing of 1xx', async () => {
    const observed = await call(
      answer((stream) => [
        headers(stream, [
          [':status', '103'],
          ['x-hint', 'early'],
        ]),
        headers(stream, [...GRPC_HEADERS, ['x-twice', 'a'], ['x-twice', 'b']]),
        data(stream, MESSAGE),
        headers(
          stream,
          [
            ['grpc-status', '0'],
            ['x-end', '1'],
            ['x-end', '2'],
          ],
          END,
        ),
      ]),
    );
    expect(observed.code).toBe(OK);
    // node:http2, under the client, joins them.
    expect([observed.headers['x-twice'], observed.trailers['x-end']]).toEqual(['a, b', '1, 2']);
    expect(observed.headers['x-hint']).toBeUndefined();
  });

  test('hands on messages and -bin values letter by letter', async () => {
    // As the wire has them: node:http2 and grpc-js would tidy them.
    const fields = [
      ['grpc-status', '9'],
      ['grpc-message', '50%25 off, %e2%82%AC %zz %'],
      ['x-data-bin', 'AQ==,Ag'],
      ['x-odd-bin', '!!not base64!!'],
    ] as const;
    const session = await H2Client.connect(`http://127.0.0.1:${gateway.public}`);
    backend.behaviour = answer((stream) => [begin(stream), headers(stream, fields, END)]);
    const reply = await session.request(grpcRequest(everythingPath('Unary'), gateway.key('alpha')), HELLO);
    session.close();
    expect(reply.trailers).toMatchObject(Object.fromEntries(fields));
  });

  test('on a stream below GOAWAY ends well, and one above is UNAVAILABLE', async () => {
    const streams: number[] = [];
    backend.behaviour = {
      onRequestEnd: (connection, stream) => {
        streams.push(stream);
        if (streams.length === 1) return;
        const lower = Math.min(...streams);
        connection.send(goaway(lower, 0), ...whole(lower));
      },
    };
    const before = backend.requests;
    const calls = await Promise.all([1, 2].map(() => client.call('Unary', { timeoutMs: PATIENCE_MS })));
    expect(calls.map(({ code }) => code).sort()).toEqual([OK, UNAVAILABLE].sort());
    expect(backend.requests - before).toBe(2);
  });
});

describe('a backend that dies', () => {
  const dying = (octets: number, how: 'end' | 'resetAndDestroy'): Behaviour => ({
    onRequestEnd: ({ socket }, stream) => {
      socket.write(Buffer.concat(whole(stream)).subarray(0, octets), () => socket[how]());
    },
  });
  const length = Buffer.concat(whole(1)).length;
  const message = Buffer.concat(whole(1).slice(0, 2)).length;

  test('at any octet of its response is UNAVAILABLE, what it had sent is delivered, and nothing is repeated', async () => {
    for (let octets = 0; octets <= length; octets++) {
      const observed = await call(dying(octets, 'end'), 'ServerStream');
      const complete = octets === length;
      expect([octets, observed.code]).toEqual([octets, complete ? OK : UNAVAILABLE]);
      expect([octets, observed.messages.length]).toEqual([octets, octets >= message ? 1 : 0]);
      if (!complete) expect(refusalOf(observed).reason).toBe('BACKEND_UNAVAILABLE');
    }
  });

  test('by RST of TCP at any octet is UNAVAILABLE', async () => {
    for (let octets = 0; octets < length; octets += 7) {
      expect([octets, (await call(dying(octets, 'resetAndDestroy'))).code]).toEqual([octets, UNAVAILABLE]);
    }
  });
});
