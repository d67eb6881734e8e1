import { afterEach, describe, expect, it } from 'vitest';
import { startProxy } from '../../bench/micro/pass-through.ts';
import {
  Client,
  type HeaderBlock,
  Listener,
  type ListenerOptions,
  NameTable,
  type Stream,
  type StreamHandler,
} from '../../src/http2/index.ts';
import { block, request } from './support.ts';

const names = new NameTable();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A generator of numbers below 2^32 (xorshift): failures can be repeated. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Gives window back late, at random: now, at the end of the turn, or some turns later. */
class Stalling {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  consume(stream: Stream, octets: number): void {
    const choice = this.#random() % 4;
    if (choice === 0) stream.consume(octets);
    else if (choice < 3) setImmediate(() => stream.consume(octets));
    else setTimeout(() => stream.consume(octets), this.#random() % 8);
  }
}

const OK = block({ ':status': '200' });
const DONE = block({ 'grpc-status': '0' });

/** Answers every request with its own octets, and takes its time. */
class Echo implements StreamHandler {
  readonly #stalling: Stalling;

  constructor(stalling: Stalling) {
    this.#stalling = stalling;
  }

  onHeaders(): void {}
  onData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    const taken = stream.sendData(buffer, start, end, false);
    if (taken > 0) this.#stalling.consume(stream, taken);
    if (endStream) stream.sendTrailers(DONE, undefined);
  }
  onTrailers(stream: Stream): void {
    stream.sendTrailers(DONE, undefined);
  }
  onSent(stream: Stream, octets: number): void {
    this.#stalling.consume(stream, octets);
  }
  onReset(): void {}
}

/** One call of `size` octets, sent in pieces of any size; `finished` gets undefined, or what went wrong. */
class Bulk implements StreamHandler {
  received = 0;
  readonly #size: number;
  readonly #stalling: Stalling;
  readonly #finished: (failure: string | undefined) => void;
  #failure: string | undefined;

  constructor(size: number, stalling: Stalling, finished: (failure: string | undefined) => void) {
    this.#size = size;
    this.#stalling = stalling;
    this.#finished = finished;
  }

  start(client: Client, source: Buffer, random: () => number): void {
    const stream = client.request(this, request('/bulk'), undefined, this.#size === 0);
    let at = 0;
    while (at < this.#size) {
      const end = Math.min(this.#size, at + 1 + (random() % 40_000));
      stream.sendData(source, at, end, end === this.#size);
      at = end;
    }
  }

  onHeaders(_stream: Stream, headers: HeaderBlock): void {
    if (headers.get(':status') !== '200') this.#failure = 'status';
  }
  onData(stream: Stream, buffer: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 997) {
      if (buffer[at] !== ((this.received + at - start) * 31) % 251) this.#failure = 'wrong octets';
    }
    this.received += end - start;
    this.#stalling.consume(stream, end - start);
  }
  onTrailers(): void {
    this.#finished(this.received === this.#size ? this.#failure : `${this.received} of ${this.#size} octets`);
  }
  onSent(): void {}
  onReset(_stream: Stream, code: number, cause: string): void {
    this.#finished(`reset ${code} ${cause}`);
  }
}

const source = Buffer.alloc(300_000);
for (let at = 0; at < source.length; at++) source[at] = (at * 31) % 251;

/** Runs `calls` calls, `width` at a time. @returns failures; hangs when a call does. */
async function runCalls(client: Client, calls: number, width: number, seed: number): Promise<string[]> {
  const random = generator(seed);
  const stalling = new Stalling(random);
  const failures: string[] = [];
  let left = calls;
  const worker = async () => {
    while (left-- > 0) {
      const size = random() % 3 === 0 ? random() % source.length : random() % 2_000;
      const failure = await new Promise<string | undefined>((resolve) => {
        new Bulk(size, stalling, resolve).start(client, source, random);
      });
      if (failure !== undefined) failures.push(failure);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return failures;
}

async function world(seed: number, options: Partial<ListenerOptions>) {
  const stalling = new Stalling(generator(seed + 1));
  const backend = await Listener.listen({
    host: '127.0.0.1',
    port: 0,
    names,
    ...options,
    onRequest: (stream, _headers, endStream) => {
      stream.sendHeaders(OK, undefined, false);
      if (endStream) stream.sendTrailers(DONE, undefined);
      return new Echo(stalling);
    },
  });
  closers.push(() => backend.close(0));
  const { settings, limits } = options;
  const target = { host: '127.0.0.1', port: backend.address.port };
  const passing = await startProxy({ names, target, listener: options, client: { settings, limits } });
  closers.push(() => passing.close());
  const client = new Client({ names, target: { host: '127.0.0.1', port: passing.port }, settings, limits });
  closers.push(() => client.close());
  return { client, passing };
}

describe('bulk calls through a proxy between peers that stall', () => {
  it('none of 4,000 hangs with the default windows and limits', async () => {
    const { client, passing } = await world(1, {});
    expect(await runCalls(client, 4_000, 10, 7)).toEqual([]);
    expect([client.outstanding, passing.client.outstanding]).toEqual([0, 0]);
  });

  it('none of 1,000 hangs when the output limit is what holds them back', async () => {
    const settings = { initialWindowSize: 1_000_000, connectionWindowSize: 10_000_000 };
    const { client } = await world(2, { limits: { outputLimit: 20_000, outputPause: 25_000 }, settings });
    expect(await runCalls(client, 1_000, 30, 8)).toEqual([]);
  });

  it('none of 500 hangs with small windows, of the connection too', async () => {
    const settings = { initialWindowSize: 20_000, connectionWindowSize: 66_000 };
    const { client } = await world(3, { settings });
    expect(await runCalls(client, 500, 10, 9)).toEqual([]);
  });
});
