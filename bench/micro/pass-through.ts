import {
  Client,
  type ClientOptions,
  ErrorCode,
  Field,
  HeaderBlock,
  Listener,
  type ListenerOptions,
  type NameTable,
  ResetCause,
  type Stream,
  type StreamHandler,
  type Target,
} from '../../src/http2/index.ts';

export interface ProxyOptions {
  readonly names: NameTable;
  readonly port?: number;
  readonly target: Target;
  readonly listener?: Partial<ListenerOptions>;
  readonly client?: Partial<ClientOptions>;
}

export interface Proxy {
  readonly port: number;
  readonly listener: Listener;
  readonly client: Client;
  close(graceMs?: number): Promise<void>;
}

const UNAVAILABLE = new HeaderBlock([new Field(':status', '503'), new Field('content-length', '0')]);

/** One call: a stream of the listener and one of the client, which give each other what they get. */
class Call implements StreamHandler {
  readonly #down: Stream;
  readonly #up: Stream;

  constructor(client: Client, down: Stream, block: HeaderBlock, endStream: boolean) {
    this.#down = down;
    this.#up = client.request(this, block, undefined, endStream);
  }

  onHeaders(_up: Stream, block: HeaderBlock, endStream: boolean): void {
    this.#down.sendHeaders(block, undefined, endStream);
  }

  onData(from: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    const to = from === this.#up ? this.#down : this.#up;
    const taken = to.sendData(buffer, start, end, endStream);
    if (taken > 0) from.consume(taken);
  }

  onTrailers(from: Stream, block: HeaderBlock): void {
    const to = from === this.#up ? this.#down : this.#up;
    to.sendTrailers(block, undefined);
  }

  onSent(to: Stream, octets: number): void {
    const from = to === this.#up ? this.#down : this.#up;
    from.consume(octets);
  }

  onReset(stream: Stream, code: ErrorCode, cause: ResetCause): void {
    if (stream === this.#down) {
      this.#up.reset(code === ErrorCode.NO_ERROR ? ErrorCode.CANCEL : code);
    } else if (code === ErrorCode.NO_ERROR) {
      // The backend wants no more of the request; its response is complete, and may still be queued.
    } else if (cause === ResetCause.UNPROCESSED) {
      this.#down.sendHeaders(UNAVAILABLE, undefined, true);
    } else {
      this.#down.reset(code);
    }
  }
}

/** Starts a proxy that passes every call on to `target`. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const client = new Client({ names: options.names, target: options.target, ...options.client });
  const listener = await Listener.listen({
    host: '127.0.0.1',
    port: options.port ?? 0,
    names: options.names,
    ...options.listener,
    onRequest: (stream, block, endStream) => new Call(client, stream, block, endStream),
  });
  return {
    port: listener.address.port,
    listener,
    client,
    close: async (graceMs = 0) => {
      await Promise.all([listener.close(graceMs), client.close(graceMs)]);
    },
  };
}
