import { describe, expect, it } from 'vitest';
import { type Frame, frame, WorkBench, word } from './fake-socket.ts';
import { block, request } from './support.ts';

const Type = { DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, PING: 6, WINDOW_UPDATE: 8 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;
const CANCEL = word(8);
/** Resets by which a connection of these tests becomes one that is held. */
const BEFORE = 2;

function begin(bench: WorkBench, id: number, flags = 0): Buffer {
  return frame(Type.HEADERS, END_HEADERS | flags, id, bench.encode(request('/a').fields));
}

function reset(id: number): Buffer {
  return frame(Type.RST_STREAM, 0, id, CANCEL);
}

/** A connection that has reset enough; its next stream is 5. */
async function resetting(limits: { turnFrames?: number } = {}): Promise<WorkBench> {
  const bench = new WorkBench({ limits: { resetBurst: 32, ...limits } }).greet();
  for (let id = 1; id < 2 * BEFORE; id += 2) bench.feed(Buffer.concat([begin(bench, id), reset(id)]));
  await bench.frames();
  expect([...bench.recorders.keys()]).toEqual([1, 3]);
  bench.recorders.clear();
  return bench;
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => 2 * (BEFORE + index) + 1);
const resetsOf = (frames: readonly Frame[]) =>
  frames.filter(({ type }) => type === Type.RST_STREAM).map(({ id }) => id);

const ways: [name: string, end: (id: number) => Buffer][] = [
  ['that the client resets', reset],
  ['reset for a window update of 0', (id) => frame(Type.WINDOW_UPDATE, 0, id, word(0))],
  ['reset for a window that overflows', (id) => frame(Type.WINDOW_UPDATE, 0, id, word(0x7fffffff))],
  ['reset for PRIORITY of a wrong length', (id) => frame(Type.PRIORITY, 0, id, 'too long')],
  [
    'reset for DATA behind the end',
    (id) => Buffer.concat([frame(Type.DATA, END_STREAM, id, 'x'), frame(Type.DATA, 0, id, 'x')]),
  ],
];

describe('a connection that has reset many streams: nobody is told of a request', () => {
  it.each(ways)('%s in the same turn', async (_name, end) => {
    const bench = await resetting();
    const window = bench.connection.receiveWindow.left;
    bench.feed(Buffer.concat(ids(20).flatMap((id) => [begin(bench, id), end(id)])));
    await bench.frames();
    await bench.frames();
    expect([...bench.recorders.keys()]).toEqual([]);
    expect(bench.connection.streams.count).toBe(0);
    expect(bench.connection.headerMemory).toBe(0);
    const { left, owed } = bench.connection.receiveWindow;
    expect(left + owed).toBe(window);
  });

  it('whose RST_STREAM was read with it, and waits for the next turn', async () => {
    const bench = await resetting({ turnFrames: 30 });
    bench.feed(Buffer.concat(ids(20).flatMap((id) => [begin(bench, id), reset(id)])));
    while (bench.connection.isBehind) await bench.frames();
    await bench.frames();
    expect([...bench.recorders.keys()]).toEqual([]);
    expect(bench.connection.streams.count).toBe(0);
    expect(bench.socket.paused).toBe(false);
  });

  it('when the connection ends in that turn', async () => {
    const bench = await resetting();
    bench.feed(Buffer.concat([begin(bench, 5), frame(Type.DATA, 0, 0, 'x')]));
    await bench.frames();
    await bench.frames();
    expect([...bench.recorders.keys()]).toEqual([]);
    expect(bench.socket.ended).toBe(true);
  });
});

describe('a connection that has reset many streams: its other requests', () => {
  it('are told at the end of the turn, with all that came of them, and answered', async () => {
    const bench = await resetting();
    bench.feed(
      Buffer.concat([
        begin(bench, 5, END_STREAM),
        begin(bench, 7),
        frame(Type.DATA, 0, 7, 'hel'),
        frame(Type.DATA, 0, 7, 'lo'),
        frame(Type.DATA, END_STREAM, 7),
      ]),
    );
    expect([...bench.recorders.keys()]).toEqual([]);
    await bench.frames();
    expect([...bench.recorders.keys()]).toEqual([5, 7]);
    expect(bench.recorders.get(5)?.events).toEqual(['request.']);
    expect(bench.recorders.get(7)?.events).toEqual(['request', 'data', 'data', 'data.']);
    expect(bench.recorders.get(7)?.body.toString()).toBe('hello');
    for (const id of [5, 7]) {
      bench.recorders.get(id)?.stream?.sendHeaders(block({ ':status': '200' }), undefined, true);
    }
    const answers = (await bench.frames()).filter(({ type }) => type === Type.HEADERS);
    expect(answers.map(({ id }) => id)).toEqual([5, 7]);
    expect(bench.connection.streams.count).toBe(0);
    expect(bench.errors).toEqual([]);
  });

  it('are told with their trailers', async () => {
    const bench = await resetting();
    const opening = begin(bench, 5);
    const trailers = frame(Type.HEADERS, END_HEADERS | END_STREAM, 5, bench.encode(block({ 'x-end': '1' }).fields));
    bench.feed(Buffer.concat([opening, frame(Type.DATA, 0, 5, 'x'), trailers]));
    await bench.frames();
    expect(bench.recorders.get(5)?.events).toEqual(['request', 'data', 'trailers.']);
  });

  it('are told no more than the handler wants to know', async () => {
    const bench = await resetting();
    const handler = bench.connection.owner.onRequest;
    Object.assign(bench.connection.owner, {
      onRequest: (...request: Parameters<typeof handler>) => {
        const recorder = handler(...request);
        request[0].sendHeaders(block({ ':status': '403' }), undefined, true);
        return recorder;
      },
    });
    bench.feed(Buffer.concat([begin(bench, 5), frame(Type.DATA, 0, 5, 'x')]));
    await bench.frames();
    expect(bench.recorders.get(5)?.events).toEqual(['request']);
    expect(resetsOf(await bench.frames())).toEqual([5]);
  });

  it('wait a turn longer while something is left of what was read, and no more', async () => {
    const bench = await resetting({ turnFrames: 20 });
    // The share is 20 frames, or an eighth: this takes many turns.
    bench.feed(Buffer.concat([begin(bench, 5, END_STREAM), ...Array.from({ length: 300 }, () => frame(0xbe, 0, 0))]));
    for (let turn = 0; turn < 3; turn++) await bench.frames();
    expect(bench.connection.isBehind).toBe(true);
    expect([...bench.recorders.keys()]).toEqual([5]);
  });

  it('are told, and get their end, when the grace of a drain is over', async () => {
    const bench = await resetting();
    bench.feed(begin(bench, 5));
    const ended: number[] = [];
    bench.connection.finish((stream) => {
      ended.push(stream.id);
      expect(bench.recorders.get(stream.id)?.stream).toBe(stream);
      stream.sendHeaders(block({ ':status': '503' }), undefined, true);
    });
    expect(ended).toEqual([5]);
    await bench.frames();
    expect([...bench.recorders.keys()]).toEqual([5]);
  });

  it('are told at once again when time has passed', async () => {
    const bench = await resetting();
    bench.connection.watch.sweep(1_000);
    bench.feed(begin(bench, 5));
    expect([...bench.recorders.keys()]).toEqual([5]);
  });
});
