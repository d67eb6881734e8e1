/**
 * A process beside an attack: the backend, and a proper client that calls it through the gateway, one call after another.
 * Its own process, so that what it measures is the gateway and not the attacker's event loop.
 */
import { everythingPath } from '../support/everything-methods.ts';
import { grpcMessage } from '../support/frames.ts';
import { H2Client } from '../support/h2-client.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { answerOk } from './world.ts';

/** What it is told. */
export type Order =
  | { readonly callFor: number; readonly port: number; readonly key: string }
  | { readonly count: true };

/** What it tells. */
export interface Told {
  readonly address?: string;
  readonly requests?: number;
  /** Milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  readonly calls?: number;
  readonly failed?: number;
}

const BODY = grpcMessage(Buffer.from('hello'));

async function callFor(ms: number, port: number, key: string): Promise<Told> {
  const client = await H2Client.connect(`http://127.0.0.1:${port}`);
  const times: number[] = [];
  let failed = 0;
  const headers = {
    ':method': 'POST',
    ':path': everythingPath('Unary'),
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${key}`,
  };
  for (const until = performance.now() + ms; performance.now() < until; ) {
    const begin = performance.now();
    try {
      await client.request(headers, BODY);
      times.push(performance.now() - begin);
    } catch {
      failed++;
    }
  }
  client.close();
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), calls: times.length, failed };
}

const backend = await new RawBackend({ onRequestEnd: answerOk }).start();
const tell = (told: Told) => process.send?.(told);
process.on('message', (order: Order) => {
  if ('count' in order) tell({ requests: backend.requests });
  else callFor(order.callFor, order.port, order.key).then(tell, () => tell({}));
});
process.on('disconnect', () => process.exit(0));
tell({ address: backend.address });
