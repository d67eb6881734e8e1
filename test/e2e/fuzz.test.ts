import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { Breaker } from '../../generated/tollgate/config/v1/config.ts';
import { mutated } from '../http2/fuzz/fuzz.ts';
import { reads } from '../http2/fuzz/mutate.ts';
import { Random } from '../http2/fuzz/random.ts';
import { recordConversations } from '../http2/fuzz/record.ts';
import { healthy } from '../support/behaviours.ts';
import { type EverythingMethod, everythingPath } from '../support/everything-methods.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { H2Client } from '../support/h2-client.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

// test/http2/fuzz changes conversations for the engine alone; here a whole gateway has to live with them, over real sockets.

const ROUNDS = 100;
const PATIENCE_MS = 10_000;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(backend: string): Promise<TestGateway> {
  const gateway = await startTestGateway({
    backend,
    edit: (config) => {
      config.backends[0]!.breaker = Breaker.fromPartial({ minCalls: 1_000_000 });
    },
  });
  closers.push(() => gateway.stop());
  return gateway;
}

function clientOf(gateway: TestGateway): GrpcClient {
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  closers.push(() => client.close());
  return client;
}

/** Says these octets to a port, piece by piece, and half-closes; resolves when the other side has closed. */
async function say(port: number, octets: Buffer, random: Random): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const piece of reads(octets, random)) {
    if (socket.writable) socket.write(piece);
  }
  socket.end();
  await closed;
}

test('callers that talk nonsense disturb nobody, and no fault of the gateway comes of it', async () => {
  const backend = await new RawBackend(healthy).start();
  closers.push(() => backend.stop());
  const gateway = await start(backend.address);
  const canary = clientOf(gateway);
  const authorization = `Bearer ${gateway.key('alpha')}`;
  const recordings = await recordConversations({ ':path': everythingPath('BidiStream'), authorization });
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new Random(seed);
    const octets = mutated(random.pick(recordings).fromClient, true, random);
    const [observed] = await Promise.all([
      canary.call('Unary', { timeoutMs: PATIENCE_MS }),
      say(gateway.public, octets, random),
    ]);
    expect([seed, observed.code]).toEqual([seed, status.OK]);
  }
  expect(backend.connections).toBeLessThan(10);
  expect(faultsOf(gateway)).toEqual([]);
});

/** A server that answers each connection, once a request came, with octets of its own, and closes. */
async function babbler(next: () => readonly Buffer[]): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      for (const piece of next()) socket.write(piece);
      socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return server;
}

test('a backend that talks nonsense leaves no call without a status, and no fault of the gateway comes of it', async () => {
  const recordings = await recordConversations();
  let seed = 0;
  const server = await babbler(() => {
    const random = new Random(++seed);
    return reads(mutated(random.pick(recordings).fromServer, false, random), random);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const gateway = await start(`127.0.0.1:${address.port}`);
  // Not grpc-js: it stops to read behind the first message of a unary response, and would never see the end of some of these.
  const client = await H2Client.connect(`http://127.0.0.1:${gateway.public}`);
  closers.push(() => client.close());
  const call = (method: EverythingMethod): Promise<number> => client.grpc(everythingPath(method), gateway.key('alpha'));
  let reached = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const codes = await Promise.all([call('Unary'), call('ServerStream'), call('BidiStream'), call('ClientStream')]);
    // Below 0: none. Whatever a backend makes up as its own status is passed on.
    for (const code of codes) expect(code).toBeGreaterThanOrEqual(0);
    reached += codes.filter((code) => code === status.OK).length;
  }
  expect(reached).toBeGreaterThan(0);
  expect(faultsOf(gateway)).toEqual([]);
});

/** What was logged of the gateway's own faults. What is wrong with a backend or a configuration is a warning. */
function faultsOf(gateway: TestGateway): string[] {
  return gateway.logs.filter((line) => !line.includes('"level":"warn"'));
}
