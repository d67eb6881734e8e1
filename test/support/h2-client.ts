import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  constants,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';

/** An answer as it was on the wire. */
export interface H2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A plain node:http2 client: for requests that are no gRPC, and for many small ones. */
export class H2Client {
  readonly session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
    session.on('error', () => {});
  }

  /** @param url `http://127.0.0.1:7400` */
  static async connect(url: string, options: SecureClientSessionOptions = {}): Promise<H2Client> {
    const client = new H2Client(connect(url, options));
    await once(client.session, 'connect');
    return client;
  }

  close(): void {
    this.session.destroy();
  }

  /** Sends a request with a whole body. @throws when the stream is reset or the connection is lost */
  request(headers: Record<string, string | string[]>, body?: Buffer): Promise<H2Answer> {
    return new Promise((resolve, reject) => {
      const stream = this.session.request(headers, { endStream: body === undefined });
      const chunks: Buffer[] = [];
      let response: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      stream.on('response', (fields) => {
        response = fields;
      });
      stream.on('trailers', (fields) => {
        trailers = fields;
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('close', () => {
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR)
          return reject(new Error(`reset with code ${stream.rstCode}`));
        resolve({ status: Number(response[':status']), headers: response, trailers, body: Buffer.concat(chunks) });
      });
      if (body !== undefined) stream.end(body);
    });
  }

  /** A unary gRPC call with one message. @returns the answer's `grpc-status` */
  async grpc(path: string, key: string | undefined, message: Buffer = HELLO): Promise<number> {
    const answer = await this.request(grpcRequest(path, key), message);
    return Number(answer.trailers['grpc-status'] ?? answer.headers['grpc-status'] ?? -1);
  }
}

/** A gRPC message (prefix and 5 bytes). */
export const HELLO: Buffer = Buffer.concat([Buffer.from([0, 0, 0, 0, 5]), Buffer.from('hello')]);

/** The headers of a gRPC request. */
export function grpcRequest(path: string, key: string | undefined): Record<string, string> {
  return {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
}
