import { type ClientHttp2Session, connect, constants, type SecureClientSessionOptions } from 'node:http2';
import { grpcRequest, HELLO } from './h2-client.ts';

/** How a call ended for a client that keeps to the protocol. */
export type Fate =
  /** With this `grpc-status`. */
  | number
  /** Nobody has seen it, and that is certain: a client may send it again elsewhere. */
  | 'unprocessed'
  /** Nobody listens any more. */
  | 'gone'
  /** Anything else: the client does not know what became of it. */
  | 'lost';

/**
 * Calls one after the other on one connection, and opens another when told to: by GOAWAY, as gRPC clients do. It never
 * hides a failure by trying again.
 */
export class SteadyClient {
  readonly fates = new Map<Fate, number>();
  /** Connections opened. */
  connections = 0;
  readonly #url: string;
  readonly #options: SecureClientSessionOptions;
  #session: ClientHttp2Session | undefined;
  #stopping = false;

  constructor(url: string, options: SecureClientSessionOptions = {}) {
    this.#url = url;
    this.#options = options;
  }

  count(fate: Fate): number {
    return this.fates.get(fate) ?? 0;
  }

  /** Calls with so many at once until `stop`, or until nobody listens. */
  async run(path: string, key: string, atOnce: number): Promise<void> {
    const worker = async (): Promise<void> => {
      while (!this.#stopping) {
        const fate = await this.#call(path, key);
        this.fates.set(fate, this.count(fate) + 1);
        if (fate === 'gone' || fate === 'lost') return;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    this.#session?.destroy();
  }

  stop(): void {
    this.#stopping = true;
  }

  #call(path: string, key: string): Promise<Fate> {
    const session = this.#usable();
    return new Promise((resolve) => {
      const stream = session.request(grpcRequest(path, key));
      let status = -1;
      stream.on('response', (headers) => {
        status = Number(headers['grpc-status'] ?? status);
      });
      stream.on('trailers', (trailers) => {
        status = Number(trailers['grpc-status'] ?? status);
      });
      let failure: unknown;
      stream.on('error', (error) => {
        failure = error;
      });
      stream.on('close', () => {
        if (status >= 0) resolve(status);
        else if (codes(failure).includes('ECONNREFUSED')) resolve('gone');
        else if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) resolve('unprocessed');
        else resolve(codes(failure).some((code) => NEVER_SENT.has(code)) ? 'unprocessed' : 'lost');
      });
      stream.resume();
      stream.end(HELLO);
    });
  }

  /** The connection, or a new one where the old one takes no calls. */
  #usable(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = connect(this.#url, this.#options);
    this.connections++;
    session.on('error', () => {});
    this.#session = session;
    return session;
  }
}

/** Errors of node:http2 for requests that waited for a connection and were not sent. */
const NEVER_SENT = new Set(['ERR_HTTP2_STREAM_CANCEL', 'ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION']);

/** Codes of an error and of its causes. */
function codes(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  return ['code' in error ? String(error.code) : '', ...codes(error.cause)];
}
