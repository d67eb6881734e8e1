import { describe, expect, it } from 'vitest';
import { type Frame, frame, WorkBench } from './fake-socket.ts';
import { block, request } from './support.ts';

const [HEADERS, PING, GOAWAY] = [1, 6, 7];
const NOT_YET = 0x7fffffff;
const ACK = 1;

function call(bench: WorkBench, id: number): Buffer {
  return frame(HEADERS, 5, id, bench.encode(request('/a').fields));
}

/** The last streams that the GOAWAYs among these frames name. */
function lastStreams(frames: readonly Frame[]): number[] {
  return frames.filter(({ type }) => type === GOAWAY).map(({ payload }) => payload.readUInt32BE(0));
}

function answer(bench: WorkBench, id: number): void {
  bench.recorders.get(id)?.stream?.sendHeaders(block({ ':status': '200' }), undefined, true);
}

describe('a connection that drains', () => {
  it('before the preface came still takes what was on its way, then drains', async () => {
    const bench = new WorkBench();
    bench.connection.drain();
    expect(bench.socket.destroyed).toBe(false);
    bench.greet();
    bench.feed(call(bench, 1));
    const frames = await bench.frames();
    expect(lastStreams(frames)).toEqual([NOT_YET]);
    bench.feed(frame(PING, ACK, 0, frames.find(({ type }) => type === PING)?.payload));
    expect(lastStreams(await bench.frames())).toEqual([1]);
    answer(bench, 1);
    await bench.frames();
    expect(bench.socket.ended).toBe(true);
  });

  it('and whose preface never comes is closed soon', () => {
    const bench = new WorkBench();
    bench.connection.drain();
    bench.connection.watch.sweep(1_000);
    expect(bench.socket.destroyed).toBe(false);
    bench.connection.watch.sweep(2_100);
    expect(bench.socket.destroyed).toBe(true);
  });

  it('takes no PING but its own for the answer', async () => {
    const bench = new WorkBench().greet();
    await bench.frames();
    bench.connection.ping();
    bench.connection.drain();
    const [alive, , drained] = await bench.frames();
    bench.feed(frame(PING, ACK, 0, alive?.payload));
    expect(lastStreams(await bench.frames())).toEqual([]);
    bench.feed(call(bench, 1));
    bench.feed(frame(PING, ACK, 0, drained?.payload));
    expect(lastStreams(await bench.frames())).toEqual([1]);
    expect([...bench.recorders.keys()]).toEqual([1]);
  });

  it('waits for the answer to its PING for no longer than for any', async () => {
    const bench = new WorkBench({ limits: { keepaliveTimeoutMs: 5_000 } }).greet();
    bench.connection.drain();
    await bench.frames();
    bench.connection.watch.sweep(1_000);
    bench.connection.watch.sweep(6_000);
    expect(lastStreams(await bench.frames())).toEqual([]);
    bench.connection.watch.sweep(6_100);
    expect(lastStreams(await bench.frames())).toEqual([0]);
    expect(bench.socket.ended).toBe(true);
  });

  it('never says a last stream above the one it said before', async () => {
    const bench = new WorkBench().greet();
    bench.feed(call(bench, 1));
    bench.connection.drain();
    bench.connection.goaway.confirm();
    bench.feed(call(bench, 3));
    bench.feed(frame(0, 0, 0, 'DATA on stream 0'));
    expect(lastStreams(await bench.frames())).toEqual([NOT_YET, 1, 1]);
  });

  it('and is finished gives what is left its end, in front of the end of the connection', async () => {
    const bench = new WorkBench().greet();
    bench.feed(call(bench, 1));
    bench.feed(call(bench, 3));
    bench.connection.drain();
    await bench.frames();
    bench.connection.finish((stream) => stream.sendHeaders(block({ ':status': '503' }), undefined, true));
    const frames = await bench.frames();
    expect(frames.map(({ type, id }) => [type, id])).toEqual([
      [GOAWAY, 0],
      [HEADERS, 1],
      [HEADERS, 3],
    ]);
    expect(lastStreams(frames)).toEqual([3]);
    expect(bench.socket.ended).toBe(true);
  });

  it('and is finished is cut where nobody ends what is left', async () => {
    const bench = new WorkBench().greet();
    bench.feed(call(bench, 1));
    bench.connection.drain();
    bench.connection.finish(() => {});
    bench.connection.watch.sweep(1_000);
    expect(bench.socket.destroyed).toBe(false);
    bench.connection.watch.sweep(2_100);
    expect(bench.socket.destroyed).toBe(true);
  });
});

it('a connection drains at its age, and lets its calls end', async () => {
  const bench = new WorkBench({ retireAt: 5_000 }).greet();
  bench.feed(call(bench, 1));
  bench.connection.watch.sweep(4_900);
  expect(lastStreams(await bench.frames())).toEqual([]);
  bench.connection.watch.sweep(5_000);
  bench.connection.watch.sweep(5_100);
  expect(lastStreams(await bench.frames())).toEqual([NOT_YET]);
  bench.connection.watch.sweep(1_000_000);
  expect(bench.socket.destroyed).toBe(false);
  answer(bench, 1);
  await bench.frames();
  bench.connection.watch.sweep(1_000_100);
  expect(bench.socket.ended).toBe(true);
});
