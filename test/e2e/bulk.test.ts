import { createHash } from 'node:crypto';
import { constants } from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everythingPath } from '../support/everything-methods.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { H2Backend } from '../support/h2-backend.ts';
import { grpcRequest, H2Client, HELLO } from '../support/h2-client.ts';

// What is large passes through a gateway whose memory is watched from outside.

const MIB = 1024 * 1024;
const SIZE = 100 * MIB;
const backend = new H2Backend();
let gateway: GatewayProcess;
let client: H2Client;

beforeAll(async () => {
  await backend.start();
  gateway = await GatewayProcess.start({ backend: backend.address });
  client = await H2Client.connect(`http://127.0.0.1:${gateway.public}`);
});
afterAll(async () => {
  client?.close();
  await gateway?.dispose();
  await backend.stop();
});

const open = () => client.session.request(grpcRequest(everythingPath('BidiStream'), gateway.config.key('alpha')));

/** One gRPC message of SIZE bytes, made as it is read. */
function* message(): Generator<Buffer> {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(SIZE, 1);
  yield prefix;
  for (let i = 0; i < SIZE / MIB; i++) yield Buffer.alloc(MIB, i);
}

describe('a message of 100 MiB', () => {
  test('goes there and back unchanged, and the gateway never holds much of it', async () => {
    await client.grpc(everythingPath('Unary'), gateway.config.key('alpha'));
    const before = gateway.peakMiB();
    const sent = createHash('sha256');
    const received = createHash('sha256');
    const stream = open();
    let octets = 0;
    stream.on('data', (chunk: Buffer) => {
      octets += chunk.length;
      received.update(chunk);
    });
    const trailers = new Promise((resolve) => stream.on('trailers', resolve));
    const source = Readable.from(message()).on('data', (chunk: Buffer) => void sent.update(chunk));
    await pipeline(source, stream);
    expect(await trailers).toMatchObject({ 'grpc-status': '0' });
    expect(octets).toBe(SIZE + 5);
    expect(received.digest('hex')).toBe(sent.digest('hex'));
    expect(gateway.peakMiB() - before).toBeLessThan(60);
  });

  test('that nobody reads stays with its sender', async () => {
    const before = gateway.peakMiB();
    const stream = open();
    stream.on('error', () => {});
    stream.pause();
    let taken = 0;
    const source = message();
    // Writes until every buffer on the way is full: of client, gateway and backend.
    const stalled = new Promise<void>((resolve) => {
      const write = (): void => {
        for (let next = source.next(); !next.done; next = source.next()) {
          taken += next.value.length;
          if (!stream.write(next.value)) {
            const timer = setTimeout(resolve, 500);
            stream.once('drain', () => {
              clearTimeout(timer);
              write();
            });
            return;
          }
        }
        resolve();
      };
      write();
    });
    await stalled;
    expect(taken).toBeLessThan(20 * MIB);
    expect(gateway.peakMiB() - before).toBeLessThan(60);
    // The others on the connections are not held up by it.
    expect(await client.grpc(everythingPath('Unary'), gateway.config.key('alpha'))).toBe(0);
    stream.close(constants.NGHTTP2_CANCEL);
  });
});

describe('deadlines', () => {
  test('the backend is told what is left of the deadline, not what the client had', async () => {
    const key = gateway.config.key('alpha');
    await client.request({ ...grpcRequest(everythingPath('Unary'), key), 'grpc-timeout': '20S' }, HELLO);
    const left = timeoutMs(String(backend.requests.at(-1)?.['grpc-timeout']));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(20_000);
  });

  test("a longer one than the method's max_deadline is cut to it, and so is an absent one", async () => {
    const key = gateway.config.key('alpha');
    for (const timeout of [{ 'grpc-timeout': '1H' }, undefined]) {
      await client.request({ ...grpcRequest(everythingPath('Brief'), key), ...timeout }, HELLO);
      expect(timeoutMs(String(backend.requests.at(-1)?.['grpc-timeout']))).toBeLessThanOrEqual(300);
    }
  });

  test('a call without one gets none where no policy has one', async () => {
    await client.grpc(everythingPath('Unary'), gateway.config.key('alpha'));
    expect(backend.requests.at(-1)).not.toHaveProperty('grpc-timeout');
  });
});

/** The value of `grpc-timeout` in milliseconds; NaN when it is none. */
function timeoutMs(text: string): number {
  const units: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
  return Number(text.slice(0, -1)) * (units[text.slice(-1)] ?? Number.NaN);
}
