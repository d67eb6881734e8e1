/**
 * The counting backend, a program of its own so that nothing else delays its log: one listener for each gateway, so that it
 * knows who called. Each call is logged as it comes, and answered with the message that was sent. Told what to do over IPC.
 */
import { ErrorCode, HeaderBlock, Listener, type Stream, type StreamHandler } from '../../src/http2/index.ts';
import { HEADER_NAMES } from '../../src/routing/header-names.ts';
import type { AdmittedCall } from './checker.ts';
import { monotonicMs } from './monotonic.ts';

/** What the backend is asked. */
export type BackendRequest =
  | { readonly ask: 'log' }
  /** The gateways whose calls fail from now on. */
  | { readonly ask: 'fail'; readonly gateways: readonly number[] }
  /** The gateways whose connections are refused from now on. */
  | { readonly ask: 'cut'; readonly gateways: readonly number[] };

export type BackendReply = { readonly calls: readonly AdmittedCall[] } | 'done';

/** How often the log looks at the clock: what came since it last did may have come at any time between. */
const TICK_MS = 5;
/** Unix milliseconds less monotonic ones. */
const WALL_LESS_MONOTONIC = Date.now() - monotonicMs();

/** When a gateway named a call, which it does when it has admitted it: a UUIDv7 begins with the time (RFC 9562, 5.7). */
function namedAt(id: string | undefined): number {
  const ms = Number.parseInt((id ?? '').replace('-', '').slice(0, 12), 16);
  return Number.isNaN(ms) ? Number.POSITIVE_INFINITY : ms - 1 - WALL_LESS_MONOTONIC;
}

const field = (name: string, value: string) => HEADER_NAMES.field(name, value);
const HEADERS = new HeaderBlock([field(':status', '200'), field('content-type', 'application/grpc')]);
const OK = new HeaderBlock([field('grpc-status', '0')]);
const FAILURE = new HeaderBlock([...HEADERS.fields, field('grpc-status', '14')]);

class CountingBackend {
  readonly #calls: AdmittedCall[] = [];
  readonly #listeners: (Listener | undefined)[] = [];
  readonly #ports: number[] = [];
  #failing: ReadonlySet<number> = new Set();
  #since = monotonicMs();

  async start(gateways: number): Promise<readonly number[]> {
    for (let gateway = 0; gateway < gateways; gateway++) await this.#open(gateway, 0);
    // Alive now: what comes later came later.
    setInterval(() => setImmediate(() => this.#look()), TICK_MS);
    return this.#ports;
  }

  async answer(request: BackendRequest): Promise<BackendReply> {
    if (request.ask === 'log') return { calls: this.#calls.splice(0) };
    if (request.ask === 'fail') this.#failing = new Set(request.gateways);
    else for (const gateway of this.#ports.keys()) await this.#setCut(gateway, request.gateways.includes(gateway));
    return 'done';
  }

  /** Sockets are read before this: what comes after it was not there. */
  #look(): void {
    this.#since = monotonicMs();
  }

  async #open(gateway: number, port: number): Promise<void> {
    const listener = await Listener.listen({
      host: '127.0.0.1',
      port,
      names: HEADER_NAMES,
      onRequest: (stream, block, endStream) => this.#take(gateway, stream, block, endStream),
    });
    this.#listeners[gateway] = listener;
    this.#ports[gateway] = listener.address.port;
  }

  async #setCut(gateway: number, cut: boolean): Promise<void> {
    const listener = this.#listeners[gateway];
    if (cut && listener !== undefined) {
      this.#listeners[gateway] = undefined;
      await listener.close(0);
    } else if (!cut && listener === undefined) await this.#open(gateway, this.#ports[gateway]!);
  }

  #take(gateway: number, stream: Stream, block: HeaderBlock, endStream: boolean): StreamHandler {
    const tenant = block.get('x-tenant-id') ?? '';
    const principal = block.get('x-principal-id') ?? '';
    const since = Math.min(this.#since, namedAt(block.get('x-request-id')));
    this.#calls.push({ since, at: monotonicMs(), tenant, gateway, principal });
    if (this.#failing.has(gateway)) {
      stream.sendHeaders(FAILURE, undefined, true);
      if (!endStream) stream.reset(ErrorCode.NO_ERROR);
    } else stream.sendHeaders(HEADERS, undefined, false);
    return ECHO;
  }
}

const ECHO: StreamHandler = {
  onHeaders() {},
  onData(stream, buffer, start, end, endStream) {
    stream.sendData(buffer, start, end, false);
    stream.consume(end - start);
    if (endStream) stream.sendTrailers(OK, undefined);
  },
  onTrailers() {},
  onSent() {},
  onReset() {},
};

const backend = new CountingBackend();
process.on('message', (request: BackendRequest) => {
  void backend.answer(request).then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ports: await backend.start(Number(process.argv[2])) });
