import { Client, HeaderBlock, type Stream, type StreamHandler } from '../../src/http2/index.ts';
import { HEADER_NAMES } from '../../src/routing/header-names.ts';
import { type EverythingMethod, everythingPath } from '../support/everything-methods.ts';
import { HELLO } from '../support/h2-client.ts';

/** An answer as the caller got it. */
export interface Answer {
  /** `grpc-status`; -1 when the connection was lost. */
  readonly status: number;
  /** Monotonic milliseconds of this process. */
  readonly startedAt: number;
  readonly ms: number;
}

const TICK_MS = 5;
/** What a generator that was held up makes up for, at most: milliseconds of its rate. */
const MAX_CATCH_UP_MS = 100;
/** Calls without an answer at which no more are made: a frozen gateway answers none. */
const MAX_OUTSTANDING = 4_000;
/** How long those that are under way at the end are waited for. */
const LAST_ANSWERS_MS = 2_000;

/**
 * Calls at a rate that may change at any time, whether they are answered or not, on one connection. Cheap enough to offer ten
 * times what a fleet admits from one process.
 */
export class Load {
  /** Calls per second. */
  rate = 0;
  offered = 0;
  readonly statuses = new Map<number, number>();
  /** The longest time that this process did not look at its sockets: answers seem later by so much. Milliseconds. */
  ownDelay = 0;
  readonly #block: HeaderBlock;
  readonly #onAnswer: (answer: Answer) => void;
  #client: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #last = performance.now();
  #due = 0;
  #outstanding = 0;

  /** @param key undefined for a method that needs none */
  constructor(
    key: string | undefined,
    onAnswer: (answer: Answer) => void = () => {},
    method: EverythingMethod = 'Unary',
  ) {
    this.#onAnswer = onAnswer;
    const fields = {
      ':method': 'POST',
      ':scheme': 'http',
      ':authority': 'fleet',
      ':path': everythingPath(method),
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    };
    this.#block = new HeaderBlock(Object.entries(fields).map(([name, value]) => HEADER_NAMES.field(name, value)));
  }

  count(status: number): number {
    return this.statuses.get(status) ?? 0;
  }

  get refused(): number {
    return this.count(8);
  }

  /** Calls this gateway from now on: one that was started again has another port. */
  aim(port: number): void {
    void this.#client?.close();
    this.#client = new Client({
      target: { host: '127.0.0.1', port },
      names: HEADER_NAMES,
      maxConnections: 1,
      backoffMs: { initial: 20, max: 100 },
    });
  }

  start(): this {
    this.#last = performance.now();
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return this;
  }

  /** Makes no more calls, and waits for the answers that are due. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    const until = performance.now() + LAST_ANSWERS_MS;
    while (this.#outstanding > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    await this.#client?.close();
  }

  /** One call. */
  call(): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const client = this.#client;
    if (client === undefined) throw new Error('no gateway to call');
    this.offered++;
    this.#outstanding++;
    const stream = client.request(
      new Exchange((answer) => {
        this.#outstanding--;
        this.statuses.set(answer.status, this.count(answer.status) + 1);
        this.#onAnswer(answer);
        resolve(answer);
      }),
      this.#block,
      undefined,
      false,
    );
    stream.sendData(HELLO, 0, HELLO.length, true);
    return promise;
  }

  #tick(): void {
    const now = performance.now();
    const passed = now - this.#last;
    this.ownDelay = Math.max(this.ownDelay, passed - TICK_MS);
    this.#last = now;
    this.#due += (this.rate * Math.min(passed, MAX_CATCH_UP_MS)) / 1000;
    for (; this.#due >= 1; this.#due--) {
      if (this.#outstanding < MAX_OUTSTANDING) void this.call();
    }
  }
}

class Exchange implements StreamHandler {
  readonly #startedAt = performance.now();
  readonly #done: (answer: Answer) => void;
  #status = -1;
  #ended = false;

  constructor(done: (answer: Answer) => void) {
    this.#done = done;
  }

  onHeaders(_stream: Stream, block: HeaderBlock, endStream: boolean): void {
    if (endStream) this.#end(block);
  }

  onData(stream: Stream, _buffer: Buffer, start: number, end: number): void {
    stream.consume(end - start);
  }

  onTrailers(_stream: Stream, block: HeaderBlock): void {
    this.#end(block);
  }

  onSent(): void {}

  onReset(): void {
    this.#end(undefined);
  }

  #end(block: HeaderBlock | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#status = Number(block?.get('grpc-status') ?? -1);
    const ms = performance.now() - this.#startedAt;
    this.#done({ status: this.#status, startedAt: this.#startedAt, ms });
  }
}
