import { afterEach, expect, test } from 'vitest';
import { Deadlines } from '../../src/chain/deadlines.ts';
import { Answers } from '../../src/routing/answers.ts';
import { ListenerView } from '../../src/routing/listener-view.ts';
import { answerNotGrpc } from '../../src/routing/not-grpc.ts';
import { frame, WorkBench } from '../http2/fake-socket.ts';
import { request } from '../http2/support.ts';

const [DATA, HEADERS, RST_STREAM] = [0, 1, 3];
const listener = new ListenerView({ name: 'public', contracts: [], trustRequestId: false, uniformErrors: false });
let now = 0;
const deadlines = new Deadlines(() => now);
afterEach(() => deadlines.close());

/** A request that goes on, and what becomes of it. */
function begun(): WorkBench {
  const parts = { now: () => now, deadlines, answers: new Answers() };
  const bench = new WorkBench({
    owner: { onRequest: (stream, _block, endStream) => answerNotGrpc(parts, listener, stream, endStream) },
  }).greet();
  bench.feed(frame(HEADERS, 4, 1, bench.encode(request('/').fields)));
  return bench;
}

/** The types of frames sent on the stream since the last call. */
async function sent(bench: WorkBench): Promise<number[]> {
  return (await bench.frames()).filter(({ id }) => id === 1).map(({ type }) => type);
}

test('what is not gRPC is answered when its request has ended, without a reset', async () => {
  const byData = begun();
  byData.feed(frame(DATA, 0, 1, 'hello'));
  expect(await sent(byData)).toEqual([]);
  byData.feed(frame(DATA, 1, 1, 'hello'));
  expect(await sent(byData)).toEqual([HEADERS, DATA]);
  const byTrailers = begun();
  byTrailers.feed(frame(HEADERS, 5, 1, []));
  expect(await sent(byTrailers)).toEqual([HEADERS, DATA]);
  expect([byData.connection.streams.count, byTrailers.connection.streams.count, deadlines.size]).toEqual([0, 0, 0]);
});

test('a request that goes on for too long, or has too much, is answered all the same', async () => {
  const long = begun();
  now += 2_100;
  deadlines.sweep();
  expect(await sent(long)).toEqual([HEADERS, DATA, RST_STREAM]);
  const large = begun();
  for (let index = 0; index < 5; index++) large.feed(frame(DATA, 0, 1, Buffer.alloc(16_000)));
  expect((await sent(large)).filter((type) => type !== 8)).toEqual([HEADERS, DATA, RST_STREAM]);
  expect([long.connection.streams.count, large.connection.streams.count, deadlines.size]).toEqual([0, 0, 0]);
});

test('a request that is reset leaves nothing behind', async () => {
  const bench = begun();
  bench.feed(frame(RST_STREAM, 0, 1, [0, 0, 0, 8]));
  expect(await sent(bench)).toEqual([]);
  expect([bench.connection.streams.count, deadlines.size]).toEqual([0, 0]);
});
