import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import {
  type ErrorCode,
  Field,
  HeaderBlock,
  type ResetCause,
  type Stream,
  type StreamHandler,
} from '../../src/http2/index.ts';

/** A block of these fields. */
export function block(fields: Record<string, string>): HeaderBlock {
  return new HeaderBlock(Object.entries(fields).map(([name, value]) => new Field(name, value)));
}

/** The pseudo-header fields of a request, and more. */
export function request(path: string, more: Record<string, string> = {}): HeaderBlock {
  return block({ ':method': 'POST', ':scheme': 'http', ':authority': 'test', ':path': path, ...more });
}

/** What happened on one stream, in order. */
export class Recorder implements StreamHandler {
  /** Set by who opened it. */
  stream: Stream | undefined;
  headers: HeaderBlock | undefined;
  trailers: HeaderBlock | undefined;
  readonly chunks: Buffer[] = [];
  sent = 0;
  ended = false;
  code: ErrorCode | undefined;
  cause: ResetCause | undefined;
  /** Names of the calls. */
  readonly events: string[] = [];
  /** Gives received octets back at once. */
  consuming = true;
  readonly done: Promise<void>;
  readonly #waiters: { check: () => boolean; resolve: () => void }[] = [];

  constructor() {
    this.done = this.until(() => this.ended || this.code !== undefined);
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Resolves when `check` holds; looked at after every event. */
  until(check: () => boolean): Promise<void> {
    if (check()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ check, resolve }));
  }

  onHeaders(_stream: Stream, headers: HeaderBlock, endStream: boolean): void {
    this.headers = headers;
    this.#event(endStream ? 'headers.' : 'headers', endStream);
  }

  onData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    this.chunks.push(Buffer.from(buffer.subarray(start, end)));
    if (this.consuming) stream.consume(end - start);
    this.#event(endStream ? 'data.' : 'data', endStream);
  }

  onTrailers(_stream: Stream, trailers: HeaderBlock): void {
    this.trailers = trailers;
    this.#event('trailers.', true);
  }

  onSent(_stream: Stream, octets: number): void {
    this.sent += octets;
    this.#event('sent', false);
  }

  onReset(_stream: Stream, code: ErrorCode, cause: ResetCause): void {
    this.code = code;
    this.cause = cause;
    this.#event('reset', false);
  }

  #event(name: string, ended: boolean): void {
    this.events.push(name);
    this.ended ||= ended;
    for (const waiter of [...this.#waiters]) {
      if (!waiter.check()) continue;
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.resolve();
    }
  }
}

/** A node:http2 server on a free port. */
export async function nodeServer(
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  options: http2.ServerOptions = {},
): Promise<{ port: number; server: http2.Http2Server; close(): Promise<void> }> {
  const server = http2.createServer(options);
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    close: () => {
      for (const session of sessions) session.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** What a node:http2 client got for one request. */
export interface NodeReply {
  headers: Record<string, string>;
  trailers: Record<string, string>;
  body: Buffer;
  rstCode: number;
}

/** Makes one call with node:http2. `body` parts are written one by one. */
export function nodeCall(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body: Iterable<Buffer> | undefined,
): Promise<NodeReply> {
  return new Promise((resolve) => {
    const stream = session.request({ ':method': 'POST', ...headers }, { endStream: body === undefined });
    const reply: NodeReply = { headers: {}, trailers: {}, body: Buffer.alloc(0), rstCode: 0 };
    const chunks: Buffer[] = [];
    stream.on('response', (got) => {
      reply.headers = got as Record<string, string>;
    });
    stream.on('trailers', (got) => {
      reply.trailers = got as Record<string, string>;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => {});
    stream.on('close', () => {
      reply.body = Buffer.concat(chunks);
      reply.rstCode = stream.rstCode;
      resolve(reply);
    });
    if (body === undefined) return;
    for (const part of body) stream.write(part);
    stream.end();
  });
}
