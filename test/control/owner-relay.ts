import { connect, createServer, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { dirname, join } from 'node:path';

/** Where the gateway stands, for clients that present a key: says of every caller that it is an owner. */
export interface OwnerRelay {
  /** As clients take it: `unix:/path`. */
  readonly address: string;
  close(): Promise<void>;
}

/** @param socket of the control server; the relay's own is beside it */
export async function startOwnerRelay(socket: string): Promise<OwnerRelay> {
  const path = join(dirname(socket), 'relay.sock');
  const backend = connect('http://control', { createConnection: () => connectSocket(socket) });
  backend.on('error', () => {});
  const server = createServer();
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    const request = backend.request({ ...headers, 'x-tollgate-scopes': 'tollgate.owner' });
    let trailers: IncomingHttpHeaders = {};
    stream.on('error', () => request.close());
    request.on('error', () => stream.close());
    request.on('response', (response, flags) => {
      // Trailers alone: what grpc-js answers a refusal with.
      if ((flags & 1) !== 0) return stream.respond(response, { endStream: true });
      stream.respond(response, { waitForTrailers: true });
      request.pipe(stream);
    });
    request.on('trailers', (received) => {
      trailers = received;
    });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.pipe(request);
  });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return {
    address: `unix:${path}`,
    async close() {
      backend.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
