import { describe, expect, test } from 'vitest';
import { shareState } from '../../src/http2/dormant-state.ts';
import { END_HEADERS, END_STREAM, Type } from './conformance/cases.ts';
import { frame, WorkBench, word } from './fake-socket.ts';
import { block, request } from './support.ts';

const { DATA, HEADERS, RST_STREAM, SETTINGS } = Type;
const HEADER_TABLE_SIZE = 1;
const OK = block({ ':status': '200' });

function greeted(): WorkBench {
  const bench = new WorkBench().greet();
  bench.nap();
  expect(bench.naps).toBe(1);
  return bench;
}

function ask(bench: WorkBench, id: number, flags: number): void {
  bench.feed(frame(HEADERS, END_HEADERS | flags, id, bench.encode(request('/a').fields)));
}

describe('a connection that goes on where another one was at rest', () => {
  test('ignores what was under way for a stream that the other had reset', async () => {
    const bench = greeted();
    ask(bench, 1, 0);
    bench.recorders.get(1)?.stream?.reset(8);
    bench.nap();
    expect(bench.naps).toBe(2);
    await bench.frames();
    bench.feed(frame(DATA, 0, 1, 'late'));
    expect((await bench.frames()).filter(({ type }) => type === RST_STREAM)).toEqual([]);
  });

  test('tells the smallest table that the peer has allowed meanwhile (RFC 7541 section 4.2)', async () => {
    const bench = greeted();
    for (const size of [0, 4_096]) {
      bench.feed(frame(SETTINGS, 0, 0, [0, HEADER_TABLE_SIZE, ...word(size)]));
      bench.nap();
    }
    ask(bench, 1, END_STREAM);
    bench.recorders.get(1)?.stream?.sendHeaders(OK, undefined, true);
    const answer = (await bench.frames()).find(({ type }) => type === HEADERS);
    expect(answer?.payload[0]).toBe(0x20);
  });

  test('begins when all is written', async () => {
    const bench = greeted();
    bench.socket.stalled = true;
    ask(bench, 1, END_STREAM);
    bench.recorders.get(1)?.stream?.sendHeaders(OK, undefined, true);
    expect(bench.connection.streams.count).toBe(0);
    bench.nap();
    expect(bench.naps).toBe(1);
    bench.socket.release();
    bench.nap();
    expect(bench.naps).toBe(2);
    expect((await bench.frames()).filter(({ type }) => type === HEADERS)).toHaveLength(1);
  });
});

test('connections that leave the same share it', () => {
  const leave = () => {
    const bench = new WorkBench().greet();
    bench.connection.sender.output.flush();
    return bench.connection.leave();
  };
  const [one, other] = [leave(), leave()];
  expect(other).not.toBe(one);
  expect(other).toEqual({ ...one, recentResets: other.recentResets });
  const shared = shareState(one);
  expect(shareState(other)).toBe(shared);
  expect(shareState({ ...one, sendWindow: 1 })).not.toBe(shared);
});
