/**
 * A process beside an attack: the backend, and a proper client that calls it through the gateway, one call after another, and
 * between them asks a bare echo server, which tells what the machine alone does to it.
 * Its own process, so that what it measures is the gateway and not the attacker's event loop.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { everythingPath } from '../support/everything-methods.ts';
import { grpcMessage } from '../support/frames.ts';
import { H2Client } from '../support/h2-client.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { answerOk } from './world.ts';

/** What it is told. */
export type Order =
  | { readonly callFor: number; readonly port: number; readonly echoPort: number; readonly key: string }
  | { readonly count: true };

/** What it tells. */
export interface Told {
  readonly address?: string;
  readonly requests?: number;
  /** Milliseconds of each. */
  readonly calls?: readonly number[];
  readonly echoes?: readonly number[];
  readonly failed?: number;
}

const BODY = grpcMessage(Buffer.from('hello'));

async function callFor({ callFor, port, echoPort, key }: Extract<Order, { callFor: number }>): Promise<Told> {
  const client = await H2Client.connect(`http://127.0.0.1:${port}`);
  const plain = connect({ port: echoPort, host: '127.0.0.1', noDelay: true });
  const calls: number[] = [];
  const echoes: number[] = [];
  let failed = 0;
  const headers = {
    ':method': 'POST',
    ':path': everythingPath('Unary'),
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${key}`,
  };
  for (const until = performance.now() + callFor; performance.now() < until; ) {
    echoes.push(await timeOf(() => echo(plain)));
    try {
      calls.push(await timeOf(() => client.request(headers, BODY)));
    } catch {
      failed++;
    }
  }
  client.close();
  plain.destroy();
  return { calls, echoes, failed };
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

async function echo(socket: Socket): Promise<void> {
  socket.write(BODY);
  await once(socket, 'data');
}

const backend = await new RawBackend({ onRequestEnd: answerOk }).start();
const tell = (told: Told) => process.send?.(told);
process.on('message', (order: Order) => {
  if ('count' in order) tell({ requests: backend.requests });
  else callFor(order).then(tell, () => tell({}));
});
process.on('disconnect', () => process.exit(0));
tell({ address: backend.address });
