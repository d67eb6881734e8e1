import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { State } from '../../src/http2/engine-stream.ts';
import type { Stream } from '../../src/http2/index.ts';
import { frame, WorkBench, word } from './fake-socket.ts';
import { block, type Recorder, request } from './support.ts';

const END_STREAM = 1;
const PADDED = 8;
const END_HEADERS = 4;

/** What the peer, which is the test, knows of one stream. */
interface PeerStream {
  readonly id: number;
  /** Octets it may send, and octets it has allowed us to send. */
  maySend: number;
  allowed: number;
  sent: number;
  received: number;
  ended: boolean;
  reset: boolean;
}

/** Position-dependent octets, so that what is lost, doubled or out of order shows. */
const pattern = Buffer.alloc(400_000);
for (let at = 0; at < pattern.length; at++) pattern[at] = (at * 131 + (at >> 8)) & 255;

/** Both sides of a server connection: the engine, and a peer that keeps the books by what it sees on the wire alone. */
class Books {
  readonly bench: WorkBench;
  readonly streams: PeerStream[] = [];
  readonly unconsumed = new Map<number, number>();
  readonly given = new Map<number, number>();
  mayConnection = 65_535;
  allowedConnection = 65_535;
  initial = 65_535;
  /** Changes of it not yet acknowledged: the engine may still use the window before. */
  readonly announced: { readonly reduction: number; readonly streams: readonly PeerStream[] }[] = [
    { reduction: 0, streams: [] },
  ];
  readonly connectionWindow = 90_000;
  readonly streamWindow = 40_000;

  constructor(naps: boolean) {
    this.bench = new WorkBench({
      naps,
      settings: { initialWindowSize: this.streamWindow, connectionWindowSize: this.connectionWindow },
      limits: { outputLimit: 30_000, resetBurst: 1e9, controlBurst: 1e9 },
    }).greet();
  }

  open(): void {
    const id = this.streams.length * 2 + 1;
    this.bench.feed(frame(1, END_HEADERS, id, this.bench.encode(request('/a').fields)));
    const recorder = this.recorder(id);
    recorder.consuming = false;
    recorder.stream?.sendHeaders(block({ ':status': '200' }), undefined, false);
    this.streams.push({
      id,
      maySend: this.streamWindow,
      allowed: this.initial,
      sent: 0,
      received: 0,
      ended: false,
      reset: false,
    });
    this.given.set(id, 0);
  }

  recorder(id: number): Recorder {
    const found = this.bench.recorders.get(id);
    if (found === undefined) throw new Error(`no stream ${id}`);
    return found;
  }

  stream(id: number): Stream {
    const found = this.recorder(id).stream;
    if (found === undefined) throw new Error(`no stream ${id}`);
    return found;
  }

  /** The peer sends DATA as far as it may, cut anywhere. */
  send(peer: PeerStream, wanted: number, padding: number, cuts: number[]): void {
    if (peer.ended || peer.reset) return;
    const cost = padding === 0 ? 0 : padding + 1;
    const octets = Math.min(wanted, peer.maySend - cost, this.mayConnection - cost, 16_384 - cost);
    if (octets <= 0 || peer.sent + octets > pattern.length) return;
    const data = pattern.subarray(peer.sent, peer.sent + octets);
    const payload = padding === 0 ? data : Buffer.concat([Buffer.from([padding]), data, Buffer.alloc(padding)]);
    peer.maySend -= payload.length;
    this.mayConnection -= payload.length;
    peer.sent += octets;
    this.bench.feed(frame(0, padding === 0 ? 0 : PADDED, peer.id, payload), cuts);
  }

  /** The engine's user takes some of what it got. */
  consume(peer: PeerStream, octets: number): void {
    const recorder = this.recorder(peer.id);
    const taken = this.unconsumed.get(peer.id) ?? 0;
    const now = Math.min(octets, recorder.body.length - taken);
    this.unconsumed.set(peer.id, taken + now);
    this.stream(peer.id).consume(now);
  }

  /** The engine's user sends. */
  give(peer: PeerStream, octets: number): void {
    const from = this.given.get(peer.id) ?? 0;
    const to = Math.min(from + octets, pattern.length);
    if (to === from || peer.reset) return;
    this.given.set(peer.id, to);
    const before = this.recorder(peer.id).sent;
    const queued = this.stream(peer.id).queued;
    const taken = this.stream(peer.id).sendData(pattern, from, to, false);
    expect(taken + this.stream(peer.id).queued - queued + (this.recorder(peer.id).sent - before)).toBe(to - from);
  }

  allow(peer: PeerStream | undefined, octets: number): void {
    if (peer === undefined) this.allowedConnection += octets;
    else peer.allowed += octets;
    this.bench.feed(frame(8, 0, peer?.id ?? 0, word(octets)));
  }

  /** The peer changes the window of all streams, maybe below what is in flight. */
  resize(initial: number): void {
    const change = initial - this.initial;
    for (const peer of this.streams) peer.allowed += Math.max(0, change);
    this.announced.push({ reduction: Math.max(0, -change), streams: [...this.streams] });
    this.initial = initial;
    this.bench.feed(frame(4, 0, 0, [0, 4, ...word(initial)]));
  }

  reset(peer: PeerStream, byPeer: boolean): void {
    if (peer.reset) return;
    peer.reset = true;
    if (byPeer) this.bench.feed(frame(3, 0, peer.id, word(8)));
    else this.stream(peer.id).reset(8);
  }

  /** Ends the turn and enters what the engine wrote. Nothing may exceed a window, and octets come in order. */
  async settle(): Promise<void> {
    for (const { type, flags, id, payload } of await this.bench.frames()) {
      const peer = this.streams[(id - 1) / 2];
      if (type === 4 && (flags & 1) !== 0) this.acknowledge();
      else if (type === 8 && id === 0) this.mayConnection += payload.readUInt32BE(0);
      else if (type === 8 && peer !== undefined) peer.maySend += payload.readUInt32BE(0);
      else if (type === 7) throw new Error(`GOAWAY ${payload.subarray(8)}`);
      else if (type === 0 && peer !== undefined) this.enterData(peer, payload, flags);
    }
    expect(this.bench.errors).toEqual([]);
    this.check();
  }

  acknowledge(): void {
    // Raises counted when they were announced; reductions count from the ACK on.
    const { reduction, streams } = this.announced.shift() ?? { reduction: 0, streams: [] };
    for (const peer of streams) peer.allowed -= reduction;
  }

  enterData(peer: PeerStream, payload: Buffer, flags: number): void {
    expect(payload.equals(pattern.subarray(peer.received, peer.received + payload.length))).toBe(true);
    peer.received += payload.length;
    peer.allowed -= payload.length;
    this.allowedConnection -= payload.length;
    expect(this.allowedConnection).toBeGreaterThanOrEqual(0);
    if (payload.length > 0 && this.announced.length === 0) expect(peer.allowed).toBeGreaterThanOrEqual(0);
    if ((flags & END_STREAM) !== 0) peer.ended = true;
  }

  /** Credit is conserved: what the peer may send, what we owe and what is not consumed make the window. */
  check(): void {
    const { receiveWindow, streams } = this.bench.connection;
    let unconsumed = 0;
    for (const stream of streams.list()) {
      unconsumed += stream.unconsumed;
      if ((stream.state & State.REMOTE_ENDED) === 0) {
        const granted = stream.receiveLeft + stream.owed + stream.unconsumed;
        expect(granted).toBe(this.streamWindow);
      }
    }
    expect(receiveWindow.left + receiveWindow.owed + unconsumed).toBe(this.connectionWindow);
    if (!this.bench.socket.stalled) expect(this.mayConnection).toBe(receiveWindow.left);
  }
}

type Step = (books: Books) => void;
const which = fc.nat(5);
const octets = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 60_000 }));
const pick = (books: Books, index: number) => books.streams[index % books.streams.length]!;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Step>((books) => books.streams.length < 8 && books.open()) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        which,
        octets,
        fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 200 })),
        fc.array(octets, { maxLength: 4 }),
      )
      .map(
        ([index, count, padding, cuts]): Step =>
          (books) =>
            books.send(pick(books, index), count, padding, cuts),
      ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(which, octets).map(
      ([index, count]): Step =>
        (books) =>
          books.consume(pick(books, index), count),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(which, octets).map(
      ([index, count]): Step =>
        (books) =>
          books.give(pick(books, index), count),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(which, octets).map(
      ([index, count]): Step =>
        (books) => {
          const peer = pick(books, index);
          if (!peer.reset) books.allow(peer, count);
        },
    ),
  },
  {
    weight: 3,
    arbitrary: octets.map(
      (count): Step =>
        (books) =>
          books.allow(undefined, count),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat(100_000).map(
      (initial): Step =>
        (books) =>
          books.resize(initial),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.boolean().map(
      (stalled): Step =>
        ({ bench: { socket } }) => {
          if (stalled) socket.stalled = true;
          else socket.release();
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(which, fc.boolean()).map(
      ([index, byPeer]): Step =>
        (books) =>
          books.reset(pick(books, index), byPeer),
    ),
  },
);

describe('flow control', () => {
  it('conserves windows and credits, whatever the order of frames, stalls and resets, and leaves nothing behind', async () => {
    const rounds = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(rounds, fc.boolean(), async (turns, naps) => {
        const books = new Books(naps);
        books.open();
        for (const steps of turns) {
          for (const one of steps) one(books);
          await books.settle();
        }
        // Everything is opened: then all that was given must arrive, and all credit come home.
        books.bench.socket.release();
        books.allow(undefined, 4_000_000);
        for (const peer of books.streams) {
          if (!peer.reset) books.allow(peer, 1_000_000);
          books.consume(peer, Number.MAX_SAFE_INTEGER);
        }
        for (let turn = 0; turn < 3 || books.bench.connection.sender.output.unsent > 0; turn++) await books.settle();
        for (const peer of books.streams) {
          if (!peer.reset) expect(peer.received).toBe(books.given.get(peer.id));
          const stream = books.bench.connection.streams.get(peer.id);
          expect(stream === undefined).toBe(peer.reset);
          expect(books.stream(peer.id).queued).toBe(0);
        }
        expect(books.bench.connection.sender.output.unsent).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a conversation', () => {
  /** Two requests with padding, CONTINUATION, trailers and a reset, as octets. */
  function conversation(bench: WorkBench): Buffer {
    const headers = bench.encode(request('/a', { x: 'y'.repeat(300) }).fields);
    const trailers = bench.encode(block({ t: 'z' }).fields);
    return Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(4, 0, 0, [0, 3, ...word(7)]),
      frame(4, 1, 0),
      frame(1, 0, 1, headers.subarray(0, 20)),
      frame(9, 0, 1, headers.subarray(20, 21)),
      frame(9, END_HEADERS, 1, headers.subarray(21)),
      frame(0, 0, 1, 'hello'),
      frame(1, END_HEADERS, 3, bench.encode(request('/b').fields)),
      frame(0, PADDED, 3, [3, 1, 2, 0, 0, 0]),
      frame(6, 0, 0, 'pingpong'),
      frame(0, PADDED, 1, [4, 0, 0, 0, 0]),
      frame(0, 0, 1),
      frame(8, 0, 1, word(10)),
      frame(1, END_HEADERS | END_STREAM | PADDED, 1, [2, ...trailers, 0, 0]),
      frame(0, END_STREAM | PADDED, 3, [2, 9, 0, 0]),
      frame(3, 0, 3, word(8)),
    ]);
  }

  async function play(cuts: number[] | 'every octet'): Promise<unknown> {
    const bench = new WorkBench();
    const octets = conversation(bench);
    bench.feed(octets, cuts === 'every octet' ? Array.from(octets.keys()) : cuts);
    const frames = await bench.frames();
    const streams = [...bench.recorders.values()].map((recorder) => ({
      path: recorder.headers?.get(':path'),
      body: recorder.body.toString('latin1'),
      trailers: recorder.trailers?.get('t'),
      end: recorder.events.at(-1),
      code: recorder.code,
    }));
    return { streams, frames: frames.map(({ type, flags, id }) => [type, flags, id]) };
  }

  it('means the same octet by octet, and however it is cut', async () => {
    const whole = await play([]);
    expect(await play('every octet')).toEqual(whole);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(700), { maxLength: 20 }), async (cuts) => {
        expect(await play(cuts)).toEqual(whole);
      }),
      { numRuns: 100 },
    );
  });
});

describe('any octets', () => {
  it('end in nothing worse than GOAWAY: nothing throws, no stream stays', async () => {
    const anyFrame = fc
      .record({
        type: fc.nat(11),
        flags: fc.nat(255),
        id: fc.nat(9),
        payload: fc.uint8Array({ maxLength: 40 }),
      })
      .map(({ type, flags, id, payload }) => frame(type, flags, id, Buffer.from(payload)));
    await fc.assert(
      fc.asyncProperty(fc.array(anyFrame, { maxLength: 30 }), fc.boolean(), async (frames, server) => {
        const bench = new WorkBench({ server }).greet();
        if (server) bench.feed(frame(1, END_HEADERS, 1, bench.encode(request('/a').fields)));
        for (const octets of frames) bench.feed(octets);
        await bench.frames();
        expect(bench.errors).toEqual([]);
        bench.connection.destroy();
        await bench.frames();
        expect(bench.connection.streams.count).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
