import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { grpcMessage } from './fixtures.ts';

/** What came back for one request. */
interface Answer {
  readonly httpStatus: number | undefined;
  readonly grpcStatus: string | undefined;
  readonly echoed: boolean;
}

/**
 * Verifies, once, by an independent client that a proxy forwards messages and trailers, and that it refuses a request
 * without a key when it should. @throws Error that says what is wrong
 */
export async function probe(port: number, path: string, key: string, authenticates: boolean): Promise<void> {
  const good = await call(port, path, key);
  if (good.httpStatus !== 200 || good.grpcStatus !== '0' || !good.echoed) {
    throw new Error(`answers a request with ${JSON.stringify(good)}`);
  }
  if (!authenticates) return;
  const bad = await call(port, path, undefined);
  if (bad.grpcStatus !== '16') throw new Error(`answers a request without a key with ${JSON.stringify(bad)}`);
}

async function call(port: number, path: string, key: string | undefined): Promise<Answer> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const message = grpcMessage(71);
    const credential = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...credential,
    });
    stream.setTimeout(5000, () => stream.destroy(new Error('no answer within 5 s')));
    session.on('error', (error) => stream.destroy(error));
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.end(message);
    await once(stream, 'end');
    const status = trailers['grpc-status'] ?? headers['grpc-status'];
    return {
      httpStatus: Number(headers[':status']),
      grpcStatus: status === undefined ? undefined : String(status),
      echoed: Buffer.concat(chunks).equals(message),
    };
  } finally {
    session.destroy();
  }
}
