/**
 * `npm run bench:idle`: memory of idle connections at Tollgate and, where it is installed, nginx, in one run, and beside them
 * that of a bare socket in Node. Connections are counted twice: greeted only, and after one call each.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startBackend } from './backend-process.ts';
import { accepting, type Children, freePorts, withChildren } from './children.ts';
import { cpuMicros, processTree } from './cpu.ts';
import { type BenchTenant, benchTenants, grpcMessage, methodPaths } from './fixtures.ts';
import { describeMachine } from './machine.ts';
import { nginx } from './proxies/nginx.ts';
import { tollgate } from './proxies/tollgate.ts';
import { startProxies } from './start-proxies.ts';

const CONNECTIONS = Number(process.argv[2] ?? 10_000);
/** Sockets opened at once. */
const WAVE = 200;
/** Connections, and calls on each, before anything counts. */
const WARM_CONNECTIONS = 500;
const WARM_CALLS = 60;
/**
 * Before anything is counted, also before the first connection: longer than Tollgate waits before a connection is dormant (6 s), and
 * before V8 is told that the process is idle (45 to 50 s), and it has given memory back (15 s). Otherwise connections would be held
 * against the garbage of those before them.
 */
const SETTLE_MS = 75_000;
const KIB = 1024;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const TYPE = { DATA: 0, HEADERS: 1, SETTINGS: 4 } as const;
const ACK = frame(TYPE.SETTINGS, 1, 0, Buffer.alloc(0));

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** Literals with incremental indexing (RFC 7541 section 6.2.1), as clients send them; nothing here is as long as 127 octets. */
function headers(fields: Readonly<Record<string, string>>): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0x40]), text(name), text(value)]),
  );
}

/** @param stream odd */
function request({ key }: BenchTenant, stream: number): Buffer {
  const fields = {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': methodPaths()[0]!,
    ':authority': 'bench',
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${key}`,
  };
  return Buffer.concat([frame(TYPE.HEADERS, 4, stream, headers(fields)), frame(TYPE.DATA, 1, stream, grpcMessage(71))]);
}

/** Opens a connection, and resolves when the proxy's SETTINGS were acknowledged. */
function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(Buffer.concat([PREFACE, frame(TYPE.SETTINGS, 0, 0, Buffer.alloc(0))]));
    });
    socket.once('error', reject);
    socket.once('data', () => {
      socket.write(ACK, () => resolve(socket));
      socket.off('error', reject);
      socket.on('error', () => {});
    });
  });
}

function call(socket: Socket, octets: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('closed in a call'));
    if (socket.destroyed) return onClose();
    const onData = (chunk: Buffer) => {
      // Trailers, whatever they came with: the last frame begins with their header and END_STREAM.
      if (!chunk.includes('grpc-status') && chunk.length < 60) return;
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.resume();
      resolve();
    };
    socket.on('data', onData);
    socket.once('close', onClose);
    socket.write(octets);
  });
}

function residentKiB(pid: number): number {
  return processTree(pid).reduce((sum, each) => {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'));
    return sum + Number(match?.[1] ?? 0);
  }, 0);
}

async function inWaves<T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  while (all.length < count) {
    const wave = Math.min(WAVE, count - all.length);
    all.push(...(await Promise.all(Array.from({ length: wave }, (_, index) => one(all.length + index)))));
  }
  return all;
}

async function main(children: Children, folder: string): Promise<void> {
  const backend = await startBackend(children);
  const tenants = benchTenants(1);
  const { running, missing, broken } = await startProxies(
    { children, folder, backend, paths: methodPaths(), cpu: cpuMicros },
    [tollgate, nginx],
    tenants,
  );
  for (const line of [...missing, ...broken]) process.stderr.write(`${line}\n`);
  process.stdout.write(`${CONNECTIONS} idle connections, ${describeMachine()}\n\n`);
  process.stdout.write(
    '| proxy | KiB before | KiB a connection, greeted | KiB a connection, after a call |\n|---|---|---|---|\n',
  );
  for (const { name, pid, port, version } of running)
    await measure(`${name} ${version}`, pid, port, (stream) => request(tenants[0]!, stream));
  const bare = await startBare(children);
  await measure('node:net alone', bare.pid, bare.port, undefined);
}

/** Prints the row of one server. @param octets of a call on a stream; undefined where it answers none */
async function measure(
  name: string,
  pid: number,
  port: number,
  octets: ((stream: number) => Buffer) | undefined,
): Promise<void> {
  // What connections and calls make it load, compile and keep for the next ones is no connection's: V8's young generation alone
  // grows to 100 MiB under calls, with however few connections.
  const warm = await inWaves(WARM_CONNECTIONS, async () => {
    const socket = await open(port);
    for (let made = 0; octets !== undefined && made < WARM_CALLS; made++) await call(socket, octets(2 * made + 1));
    return socket;
  });
  for (const socket of warm) socket.destroy();
  await delay(SETTLE_MS);
  const before = residentKiB(pid);
  const each = () => ((residentKiB(pid) - before) / CONNECTIONS).toFixed(2);
  const sockets = await inWaves(CONNECTIONS, () => open(port));
  await delay(SETTLE_MS);
  const greeted = each();
  if (octets !== undefined) {
    await inWaves(CONNECTIONS, (index) => call(sockets[index]!, octets(1)));
    await delay(SETTLE_MS);
  }
  process.stdout.write(`| ${name} | ${before} | ${greeted} | ${octets === undefined ? '' : each()} |\n`);
  for (const socket of sockets) socket.destroy();
}

async function startBare(children: Children): Promise<{ readonly pid: number; readonly port: number }> {
  const [port = 0] = await freePorts(1);
  const program = join(import.meta.dirname, 'bare-server.ts');
  const service = children.start('bare', process.execPath, [program, String(port)]);
  await accepting(service, port);
  return { pid: service.pid, port };
}

if (!Number.isSafeInteger(CONNECTIONS) || CONNECTIONS < 1 || CONNECTIONS * KIB > 1e9)
  throw new Error('how many connections?');
await withChildren('idle', main);
process.exit(0);
