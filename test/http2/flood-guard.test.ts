import { describe, expect, it } from 'vitest';
import { Field } from '../../src/http2/field.ts';
import { FloodGuard } from '../../src/http2/flood.ts';
import { DEFAULT_LIMITS } from '../../src/http2/limits.ts';
import { frame, WorkBench } from './fake-socket.ts';

const PING = 6;
const HEADERS = 1;
const END_HEADERS = 4;
const RST_STREAM = 3;
const CANCEL = Buffer.from([0, 0, 0, 8]);
const LIMITS = {
  ...DEFAULT_LIMITS,
  resetBurst: 10,
  resetRate: 5,
  controlBurst: 10,
  controlRate: 5,
  maxQueuedAnswers: 8,
};

function times(count: number, one: () => void): () => void {
  return () => {
    for (let left = count; left > 0; left--) one();
  };
}

describe('the flood guard', () => {
  it('lets out what time allows', () => {
    const guard = new FloodGuard(LIMITS, { frames: 0 });
    times(10, () => guard.countReset('rapid_reset'))();
    guard.leak(1_000);
    times(5, () => guard.countReset('rapid_reset'))();
    expect(() => guard.countReset('rapid_reset')).toThrow(/too many streams reset/);
  });

  it('takes what we send for the reason of what comes, but saves nothing up', () => {
    const sent = { frames: 0 };
    const guard = new FloodGuard(LIMITS, sent);
    for (let round = 0; round < 100; round++) {
      sent.frames++;
      times(4, () => guard.countControl('ping'))();
    }
    sent.frames += 1_000_000;
    expect(times(30, () => guard.countControl('ping'))).toThrow(/without use/);
  });

  it('names the kind of the frame that was too much', () => {
    const guard = new FloodGuard(LIMITS, { frames: 0 });
    times(10, () => guard.countControl('ping'))();
    expect(() => guard.countControl('settings')).toThrow(expect.objectContaining({ flood: 'settings' }));
  });

  it('counts answers until they are taken', () => {
    const guard = new FloodGuard(LIMITS, { frames: 0 });
    times(8, () => guard.countAnswer())();
    guard.onTaken(true);
    times(8, () => guard.countAnswer())();
    guard.onTaken(false); // What was written before is gone, these fly.
    expect(() => guard.countAnswer()).toThrow(expect.objectContaining({ flood: 'unread_answers' }));
  });

  it('ends a connection whose peer does not take its answers', async () => {
    const bench = new WorkBench({ limits: { maxQueuedAnswers: 20, controlBurst: 1e9 } }).greet();
    await bench.frames();
    bench.socket.stalled = true;
    for (let index = 0; index < 30; index++) {
      bench.feed(frame(PING, 0, 0, 'pingpong'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    bench.socket.release();
    const sent = await bench.frames();
    expect(sent.at(-1)?.type).toBe(7);
    expect(sent.filter(({ type }) => type === PING).length).toBeLessThanOrEqual(20);
  });
});

describe('a turn of the event loop', () => {
  it('has a share for each connection, and the rest of what was read comes in the next ones', async () => {
    const bench = new WorkBench({ limits: { turnFrames: 100 } }).greet();
    await bench.frames();
    bench.feed(Buffer.concat(Array.from({ length: 250 }, () => frame(PING, 0, 0, 'pingpong'))));
    expect(bench.socket.paused).toBe(true);
    const counts: number[] = [];
    for (let turn = 0; turn < 4; turn++) counts.push((await bench.frames()).filter(({ type }) => type === PING).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(250);
    expect(Math.max(...counts)).toBeLessThanOrEqual(100);
    expect(bench.socket.paused).toBe(false);
  });

  it('gives an eighth of the share to a connection with many resets', async () => {
    const bench = new WorkBench({ limits: { turnFrames: 160, resetBurst: 40 } }).greet();
    await bench.frames();
    const request = [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/a'],
    ].map(([name, value]) => new Field(name!, value!));
    // More than an eighth of 40.
    for (let id = 1; id <= 11; id += 2) {
      bench.feed(frame(HEADERS, END_HEADERS, id, bench.encode(request)));
      bench.feed(frame(RST_STREAM, 0, id, CANCEL));
    }
    await bench.frames();
    bench.feed(Buffer.concat(Array.from({ length: 60 }, () => frame(PING, 0, 0, 'pingpong'))));
    const counts: number[] = [];
    for (let turn = 0; turn < 4; turn++) counts.push((await bench.frames()).filter(({ type }) => type === PING).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(60);
    expect(Math.max(...counts)).toBeLessThanOrEqual(20);
  });
});
