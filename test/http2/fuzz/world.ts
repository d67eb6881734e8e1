import type { Connection } from '../../../src/http2/connection.ts';
import { EngineStream, State } from '../../../src/http2/engine-stream.ts';
import { Flusher } from '../../../src/http2/flusher.ts';
import { type HeaderBlock, ResetCause, type Stream, type StreamHandler } from '../../../src/http2/index.ts';
import { WorkBench } from '../fake-socket.ts';
import { block, Recorder, request } from '../support.ts';
import type { Random } from './random.ts';

const OK = block({ ':status': '200', 'content-type': 'application/grpc' });
const TRAILERS = block({ 'grpc-status': '0' });
const UNAVAILABLE = block({ ':status': '503' });

/** Opens a stream on a client's connection; tells the handler when there is no room. */
function begin(on: Connection, handler: StreamHandler, headers: HeaderBlock, endStream: boolean): EngineStream {
  const stream = new EngineStream(handler);
  stream.state = endStream ? State.HEADERS_SENT | State.LOCAL_END_GIVEN : State.HEADERS_SENT;
  if (on.hasRoom) on.open(stream, headers, undefined, endStream);
  else setImmediate(() => stream.fail(7, ResetCause.UNPROCESSED));
  return stream;
}

/** One call through the proxy of the world, from one connection to another. */
class Relay implements StreamHandler {
  readonly #down: Stream;
  readonly #up: Stream;
  #begun = false;
  #answered = false;

  constructor(upstream: Connection, down: Stream, headers: HeaderBlock, endStream: boolean) {
    this.#down = down;
    this.#up = begin(upstream, this, headers, endStream);
  }

  onHeaders(_up: Stream, headers: HeaderBlock, endStream: boolean): void {
    this.#begun = true;
    this.#answered = endStream;
    this.#down.sendHeaders(headers, undefined, endStream);
  }
  onData(from: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    if (from === this.#up) this.#answered = endStream;
    const taken = (from === this.#up ? this.#down : this.#up).sendData(buffer, start, end, endStream);
    if (taken > 0) from.consume(taken);
  }
  onTrailers(from: Stream, trailers: HeaderBlock): void {
    if (from === this.#up) this.#answered = true;
    (from === this.#up ? this.#down : this.#up).sendTrailers(trailers, undefined);
  }
  onSent(to: Stream, octets: number): void {
    (to === this.#up ? this.#down : this.#up).consume(octets);
  }
  onReset(stream: Stream, code: number, cause: ResetCause): void {
    if (stream === this.#down) this.#up.reset(code === 0 ? 8 : code);
    else if (this.#answered) return;
    else if (cause === ResetCause.UNPROCESSED && this.#begun) throw new Error('not processed, but answered');
    else if (cause === ResetCause.UNPROCESSED) this.#down.sendHeaders(UNAVAILABLE, undefined, true);
    else this.#down.reset(code === 0 ? 2 : code);
  }
}

/** Sends back what it gets. */
class Echo implements StreamHandler {
  constructor(stream: Stream, endStream: boolean) {
    stream.sendHeaders(OK, undefined, false);
    if (endStream) stream.sendTrailers(TRAILERS, undefined);
  }
  onHeaders(): void {}
  onData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    const taken = stream.sendData(buffer, start, end, false);
    if (taken > 0) stream.consume(taken);
    if (endStream) stream.sendTrailers(TRAILERS, undefined);
  }
  onTrailers(stream: Stream): void {
    stream.sendTrailers(TRAILERS, undefined);
  }
  onSent(stream: Stream, octets: number): void {
    stream.consume(octets);
  }
  onReset(): void {}
}

/** Backends that do otherwise: answer at once, break off at the first octets, or never give window back. */
class Odd implements StreamHandler {
  readonly #way: 'early' | 'reset' | 'hoard';

  constructor(stream: Stream, endStream: boolean, way: 'early' | 'reset' | 'hoard') {
    this.#way = way;
    stream.sendHeaders(OK, undefined, false);
    if (way === 'early' || endStream) stream.sendTrailers(TRAILERS, undefined);
  }
  onHeaders(): void {}
  onData(stream: Stream, _buffer: Buffer, _start: number, _end: number, endStream: boolean): void {
    if (this.#way === 'reset') stream.reset(11);
    else if (endStream) stream.sendTrailers(TRAILERS, undefined);
  }
  onTrailers(stream: Stream): void {
    stream.sendTrailers(TRAILERS, undefined);
  }
  onSent(): void {}
  onReset(): void {}
}

/**
 * A proxy in memory, all of it our engine but what the fuzzer plays: callers are relayed to a backend, `/fuzz` to the fuzzed
 * one where there is one. The canary is a caller on a connection of its own.
 *
 *     fuzzed caller --\
 *                      proxy --- backend (echo), or fuzzed backend
 *     canary ---------/
 */
export class World {
  readonly errors: unknown[] = [];
  readonly fuzzed: WorkBench;
  readonly #role: 'server' | 'client';
  readonly #flusher = new Flusher();
  readonly #canary: WorkBench;
  readonly #canarySide: WorkBench;
  readonly #upstream: WorkBench;
  readonly #backend: WorkBench;
  /** Calls of the canary's connection that go to the fuzzed backend. */
  readonly #calls: Recorder[] = [];

  /**
   * @param role what our engine is on the fuzzed connection
   * @param random for what the backend does with calls that are not the canary's
   */
  constructor(role: 'server' | 'client', random: Random) {
    this.#role = role;
    const relay = (stream: Stream, headers: HeaderBlock, endStream: boolean): StreamHandler => {
      const toFuzzed = role === 'client' && headers.get(':path') === '/fuzz';
      const upstream = toFuzzed ? this.fuzzed : this.#upstream;
      return new Relay(upstream.connection, stream, headers, endStream);
    };
    const limits = { outputLimit: 20_000, outputPause: 60_000 };
    const make = (server: boolean, onRequest = relay, naps = false): WorkBench => {
      const owner = { flusher: this.#flusher, onRequest, onError: (error: unknown) => void this.errors.push(error) };
      return new WorkBench({ server, limits, owner, naps });
    };
    this.#upstream = make(false);
    this.#backend = make(true, (stream, headers, endStream) => {
      const odd = headers.get(':path') !== '/canary' && random.oneIn(3);
      return odd ? new Odd(stream, endStream, random.pick(['early', 'reset', 'hoard'])) : new Echo(stream, endStream);
    });
    this.#canary = make(false);
    this.#canarySide = make(true, relay, true);
    this.fuzzed = make(role === 'server', relay, role === 'server' && random.oneIn(2));
    // As if it had reset many streams, so that its requests are held.
    if (role === 'server' && random.oneIn(2)) this.fuzzed.connection.flood.countReset('rapid_reset', 20);
  }

  /** Connects all but the fuzzed connection, which the fuzzer greets. */
  async start(): Promise<void> {
    await this.settle();
  }

  /** Fuzzed backend: `count` calls on their way to it. */
  call(count: number): void {
    for (let index = 0; index < count; index++) {
      const recorder = new Recorder();
      const stream = begin(this.#canary.connection, recorder, request('/fuzz'), index % 2 === 0);
      if (index % 2 === 1) stream.sendData(Buffer.alloc(index * 1_000, index), 0, index * 1_000, true);
      this.#calls.push(recorder);
    }
  }

  /** Lets octets pass between the connections that are paired, until none is left. What the fuzzed one says is dropped. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const moved = pass(this.#canary, this.#canarySide) + pass(this.#upstream, this.#backend);
      this.fuzzed.socket.taken.length = 0;
      quiet = moved > 0 ? 0 : quiet + 1;
    }
  }

  /** A call of the canary: it must be answered whole. */
  async sing(): Promise<void> {
    const recorder = new Recorder();
    const song = Buffer.from('a song of some length '.repeat(200));
    const stream = begin(this.#canary.connection, recorder, request('/canary'), false);
    stream.sendData(song, 0, song.length, true);
    await this.settle();
    if (recorder.headers?.get(':status') !== '200') throw new Error(`the canary got ${recorder.events.join(' ')}`);
    if (!recorder.body.equals(song)) throw new Error(`the canary got ${recorder.body.length} octets of ${song.length}`);
    if (recorder.trailers?.get('grpc-status') !== '0') throw new Error('the canary got no status');
  }

  /** Closes the fuzzed connection, and looks what is left behind. @throws Error for what there should not be */
  async end(): Promise<void> {
    const { connection, socket } = this.fuzzed;
    socket.release();
    await this.settle();
    checkWindows(connection);
    socket.destroy();
    await this.settle();
    await this.sing();
    if (this.errors.length > 0) throw this.errors[0];
    if (connection.state !== 'closed') throw new Error(`the connection is ${connection.state}`);
    for (const { connection: each } of [this.fuzzed, this.#upstream, this.#backend, this.#canary, this.#canarySide]) {
      if (each.streams.count > 0)
        throw new Error(
          `${each.streams.count} streams are left: ${each.streams.list().map((one) => `${one.id} in state ${one.state}`)}`,
        );
      if (each.sender.output.unsent > 0) throw new Error(`${each.sender.output.unsent} octets are unsent`);
      const { left, owed } = each.receiveWindow;
      const size = each.settings.connectionWindowSize;
      if (each !== connection && left + owed !== size) throw new Error(`a window of ${left} + ${owed}, not ${size}`);
    }
    checkPair(this.#upstream.connection, this.#backend.connection);
    checkPair(this.#canary.connection, this.#canarySide.connection);
    for (const { ended, code } of this.#calls) {
      if (!ended && code === undefined)
        throw new Error(`a call to the ${this.#role === 'client' ? 'fuzzed' : ''} backend hangs`);
    }
  }
}

/** What one side may send is what the other lets it. */
function checkPair(a: Connection, b: Connection): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const { window } = from.sender;
    if (window !== to.receiveWindow.left) throw new Error(`windows differ: ${window} and ${to.receiveWindow.left}`);
  }
}

/** Credit is conserved: what may come, what is owed and what is not taken make the window. */
function checkWindows(connection: Connection): void {
  if (connection.state === 'closing' || connection.state === 'closed') return;
  let unconsumed = 0;
  for (const stream of connection.streams.list()) unconsumed += stream.unconsumed;
  const { left, owed } = connection.receiveWindow;
  const size = connection.settings.connectionWindowSize;
  if (left + owed + unconsumed !== size) throw new Error(`a window of ${left} + ${owed} + ${unconsumed}, not ${size}`);
}

/** Moves what each side wrote to the other. @returns how many octets */
function pass(a: WorkBench, b: WorkBench): number {
  let moved = 0;
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const octets = Buffer.concat(from.socket.taken.splice(0));
    moved += octets.length;
    if (octets.length > 0) to.feed(octets);
  }
  return moved;
}
