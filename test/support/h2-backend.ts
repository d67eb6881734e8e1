import {
  createServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';

/** A node:http2 backend that sends every request's body back as it comes, without ever holding it, and remembers headers. */
export class H2Backend {
  readonly requests: IncomingHttpHeaders[] = [];
  readonly #server: Http2Server = createServer();
  readonly #sessions = new Set<Http2Session>();

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the backend does not listen');
    return `127.0.0.1:${address.port}`;
  }

  async start(): Promise<this> {
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
    });
    this.#server.on('stream', (stream, headers) => {
      this.requests.push(headers);
      echo(stream);
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function echo(stream: ServerHttp2Stream): void {
  stream.on('error', () => {});
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.pipe(stream);
}
