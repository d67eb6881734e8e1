import http2 from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { nodeServer } from '../support.ts';

/** What both sides of a real conversation wrote. */
export interface Recording {
  readonly fromClient: Buffer;
  readonly fromServer: Buffer;
}

/** A proxy of octets that keeps a copy of each direction. */
async function tap(port: number): Promise<{ port: number; fromClient: Buffer[]; fromServer: Buffer[]; close(): void }> {
  const fromClient: Buffer[] = [];
  const fromServer: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('data', (chunk: Buffer) => fromClient.push(chunk));
    upstream.on('data', (chunk: Buffer) => fromServer.push(chunk));
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    fromClient,
    fromServer,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** An option that `@types/node` does not know of. */
const WITHOUT_DATE = { sendDate: false };

interface Plan {
  readonly bodies: readonly number[];
  readonly window: number;
  readonly padding: number;
  readonly longHeader: number;
  /** Every so many streams one is reset by the client; 0: none. */
  readonly resetEvery: number;
}

const PLANS: readonly Plan[] = [
  { bodies: [5, 71, 0], window: 65_535, padding: 0, longHeader: 0, resetEvery: 0 },
  { bodies: [100, 3_000, 1, 0, 20], window: 1_000, padding: 2, longHeader: 20, resetEvery: 3 },
  { bodies: [20_000], window: 16_384, padding: 1, longHeader: 20_000, resetEvery: 0 },
];

/**
 * Conversations of node:http2 with itself: echoes with trailers, small windows, padding, CONTINUATION, resets.
 * @param fields of each request, over those of a call to `/fuzz`
 */
export async function recordConversations(fields: http2.OutgoingHttpHeaders = {}): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (const plan of PLANS) recordings.push(await record(plan, fields));
  return recordings;
}

async function record(plan: Plan, fields: http2.OutgoingHttpHeaders): Promise<Recording> {
  const settings = { initialWindowSize: plan.window };
  const server = await nodeServer(
    (stream) => {
      // Nothing that differs from run to run: a seed must repeat.
      const headers = { ':status': 200, 'content-type': 'application/grpc' };
      stream.respond(headers, { waitForTrailers: true, ...WITHOUT_DATE });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
    },
    { settings, paddingStrategy: plan.padding },
  );
  const between = await tap(server.port);
  const session = http2.connect(`http://127.0.0.1:${between.port}`, { settings, paddingStrategy: plan.padding });
  session.on('error', () => {});
  await Promise.all(plan.bodies.map((octets, index) => call(session, plan, octets, index, fields)));
  await new Promise<void>((resolve) => session.ping(Buffer.from('a ping..'), () => resolve()));
  session.destroy();
  between.close();
  await server.close();
  return { fromClient: Buffer.concat(between.fromClient), fromServer: Buffer.concat(between.fromServer) };
}

function call(
  session: http2.ClientHttp2Session,
  plan: Plan,
  octets: number,
  index: number,
  fields: http2.OutgoingHttpHeaders,
): Promise<void> {
  const headers: http2.OutgoingHttpHeaders = {
    ':method': 'POST',
    ':authority': 'fuzz',
    ':path': '/fuzz',
    'content-type': 'application/grpc',
    te: 'trailers',
    'x-call': `call ${index}`,
    ...fields,
  };
  if (plan.longHeader > 0) headers['x-long'] = 'x'.repeat(plan.longHeader);
  const stream = session.request(headers);
  stream.on('error', () => {});
  const closed = new Promise<void>((resolve) => stream.on('close', () => resolve()));
  stream.on('response', () => {
    if (plan.resetEvery > 0 && index % plan.resetEvery === 1) stream.close(8);
  });
  stream.resume();
  stream.end(Buffer.alloc(octets, index));
  return closed;
}
