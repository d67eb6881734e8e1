/**
 * What one would write first: a gateway on `node:http2`, a program of its own, with the policy of the benchmark in its
 * simplest form. Arguments: port, backend's port, file of tenants (JSON).
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { BenchTenant } from '../fixtures.ts';

const WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * WINDOW;
const SESSIONS = 4;
const RATE = 1_000_000;
const BURST = 1_000_000;

interface Account {
  readonly id: string;
  tokens: number;
  refilledAt: number;
  unitsLeft: number;
}

const [port, backendPort, tenantsFile] = process.argv.slice(2);
const tenants = JSON.parse(readFileSync(tenantsFile ?? '', 'utf8')) as BenchTenant[];
const accounts = new Map<string, Account>();
for (const { id, key } of tenants) {
  accounts.set(`Bearer ${key}`, { id, tokens: BURST, refilledAt: performance.now(), unitsLeft: 1e12 });
}

const sessions: ClientHttp2Session[] = [];
let turn = 0;
function session(): ClientHttp2Session {
  turn = (turn + 1) % SESSIONS;
  let found = sessions[turn];
  if (found === undefined || found.closed || found.destroyed) {
    found = connect(`http://127.0.0.1:${backendPort}`, { settings: { initialWindowSize: WINDOW } });
    found.setMaxListeners(0);
    found.on('connect', (connected) => connected.setLocalWindowSize(CONNECTION_WINDOW));
    found.on('error', () => undefined);
    sessions[turn] = found;
  }
  return found;
}

/** The gRPC status of a refusal; undefined admits. */
function refusal(account: Account | undefined): number | undefined {
  if (account === undefined) return 16;
  const now = performance.now();
  account.tokens = Math.min(BURST, account.tokens + ((now - account.refilledAt) * RATE) / 1000);
  account.refilledAt = now;
  if (account.tokens < 1 || account.unitsLeft < 1) return 8;
  account.tokens -= 1;
  account.unitsLeft -= 1;
  return undefined;
}

function onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  stream.on('error', () => undefined);
  const account = accounts.get(headers.authorization ?? '');
  const status = refusal(account);
  if (status !== undefined || account === undefined) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status }, { endStream: true });
    return;
  }
  const forwarded: IncomingHttpHeaders = { ...headers };
  delete forwarded.authorization;
  forwarded['x-tenant-id'] = account.id;
  forwarded['x-request-id'] = randomUUID();
  const upstream = session().request(forwarded);
  upstream.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  let trailers: IncomingHttpHeaders = {};
  upstream.on('trailers', (received) => {
    trailers = received;
  });
  upstream.on('response', (response) => {
    stream.respond(response, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    upstream.pipe(stream);
  });
  stream.pipe(upstream);
}

const server = createServer({ settings: { maxConcurrentStreams: 1000, initialWindowSize: WINDOW } });
server.on('session', (connected) => {
  connected.setLocalWindowSize(CONNECTION_WINDOW);
  connected.on('error', () => undefined);
});
server.on('stream', onStream);
server.listen(Number(port), '127.0.0.1', 4096);
