import {
  constants,
  createServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { Watch } from './watch.ts';

/** What the backend does with one attempt, once its request is complete (`early`: at its headers). */
export type Reaction =
  /** Sends the body back, and OK. */
  | { readonly kind: 'ok' }
  /** A status without anything before it. */
  | { readonly kind: 'status'; readonly code: number; readonly pushback?: string }
  /** The same behind response headers. */
  | { readonly kind: 'status-after-headers'; readonly code: number }
  /** RST_STREAM REFUSED_STREAM. */
  | { readonly kind: 'refuse' }
  /** GOAWAY below the stream; on the first of a connection like `refuse`. */
  | { readonly kind: 'goaway' }
  /** The connection is lost. */
  | { readonly kind: 'drop' }
  | { readonly kind: 'hang' };

export interface SeenAttempt {
  readonly headers: IncomingHttpHeaders;
  body: Buffer;
  readonly reaction: Reaction['kind'];
}

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };

/** A node:http2 backend that reacts to each attempt as told, and remembers what it was sent. */
export class AttemptsBackend {
  readonly attempts: SeenAttempt[] = [];
  readonly watch = new Watch();
  /** For the attempts to come, the first for the next; when there are none, `otherwise` holds. */
  script: Reaction[] = [];
  otherwise: Reaction = { kind: 'ok' };
  /** Reacts at the headers of the request, not at its end. */
  early = false;
  readonly #server: Http2Server = createServer();
  readonly #sessions = new Set<Http2Session>();

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the backend does not listen');
    return address.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('error', () => {});
      session.on('close', () => this.#sessions.delete(session));
    });
    this.#server.on('stream', (stream, headers) => this.#onStream(stream, headers));
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const reaction = this.script.shift() ?? this.otherwise;
    const seen: SeenAttempt = { headers, body: Buffer.alloc(0), reaction: reaction.kind };
    this.attempts.push(seen);
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => {
      seen.body = Buffer.concat([seen.body, chunk]);
      this.watch.changed();
    });
    if (this.early) react(stream, reaction, seen);
    else stream.on('end', () => react(stream, reaction, seen));
    this.watch.changed();
  }
}

function react(stream: ServerHttp2Stream, reaction: Reaction, seen: SeenAttempt): void {
  switch (reaction.kind) {
    case 'ok':
      answer(stream, seen.body, 0);
      break;
    case 'status': {
      const pushback = reaction.pushback === undefined ? {} : { 'grpc-retry-pushback-ms': reaction.pushback };
      stream.respond({ ...HEADERS, 'grpc-status': String(reaction.code), ...pushback }, { endStream: true });
      break;
    }
    case 'status-after-headers':
      answer(stream, Buffer.alloc(0), reaction.code);
      break;
    case 'refuse':
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      break;
    case 'goaway':
      // node:http2 takes 0 for "the last one that came": the first stream of a connection cannot be above a GOAWAY of it.
      if (stream.id === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else stream.session?.goaway(constants.NGHTTP2_NO_ERROR, (stream.id ?? 1) - 2);
      break;
    case 'drop':
      stream.session?.destroy();
      break;
    case 'hang':
  }
}

function answer(stream: ServerHttp2Stream, body: Buffer, code: number): void {
  stream.respond(HEADERS, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(code) }));
  stream.end(body);
}
