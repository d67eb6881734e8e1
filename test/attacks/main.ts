/**
 * `npm run attack`: each flood, ten times a second for some seconds, and what came of it: when and how its connection was
 * closed, what the gateway's memory did, and how another client fared. `npm run attack -- 5 ping` takes 5 s for each whose
 * name has `ping` in it.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { data } from '../support/frames.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { Attacker, call } from './attacker.ts';
import type { Order, Told } from './bystander.ts';
import { FLOODS, type Flood, type Target } from './floods.ts';

const SECONDS = Number(process.argv[2] ?? 2);
const WANTED = process.argv[3] ?? '';
const CHUNK = 16;
/** Between attacks: all processes are on one machine, and its CPU must not be what is measured. */
const PAUSE_MS = 100;
/** Units that one connection sends at most, where nothing stops it. */
const MOST = 20_000;

async function ask(child: ChildProcess, order: Order): Promise<Told> {
  const answer = once(child, 'message');
  child.send(order);
  const [told] = (await answer) as [Told];
  return told;
}

function* chunks(flood: Flood, target: Target): Generator<Buffer> {
  for (let index = 0; index < MOST; index += CHUNK) {
    yield Buffer.concat(Array.from({ length: CHUNK }, (_, part) => flood.one(index + part, target)));
  }
}

/** One connection's flood. @returns units sent until it was closed, streams begun, and the code */
async function attackOnce(port: number, flood: Flood, target: Target): Promise<{ after: string; code: string }> {
  const attacker = await Attacker.open(port);
  if (flood.opening) attacker.socket.write(flood.opening(target));
  const sent = (await attacker.flood(chunks(flood, target))) * CHUNK;
  const refused = attacker.refused;
  const { goaway } = attacker;
  attacker.close();
  if (!refused) return { after: `not within ${MOST} ${flood.unit}`, code: '-' };
  const after =
    flood.unit === 'streams' && goaway ? `${(goaway.lastStream + 1) / 2} streams` : `<= ${sent} ${flood.unit}`;
  return { after, code: String(goaway?.code ?? 'none') };
}

/** DATA of one octet each, in an open stream, over and over: no flood that is closed, so it is measured apart. */
const SINGLE: Flood = {
  name: '1-byte DATA (goes on)',
  kind: 'empty_data',
  limit: 0,
  unit: 'frames',
  opening: ({ path, key }) => call(1, path, key),
  one: () => data(1, Buffer.from('x')),
};

function forkBystander(): ChildProcess {
  const child = fork(fileURLToPath(new URL('./bystander.ts', import.meta.url)));
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

/** What this machine makes of the bystander when as much is sent to a process that throws it away: the attack's CPU alone. */
async function control(
  bystander: ChildProcess,
  measure: Order,
  row: (cells: readonly unknown[]) => void,
): Promise<void> {
  const program = `require('net').createServer(s => s.on('error', () => {}).resume()).listen(0, '127.0.0.1', function () { process.send(this.address().port) }); process.on('disconnect', () => process.exit())`;
  const sink = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  process.once('exit', () => sink.kill('SIGKILL'));
  const [port] = (await once(sink, 'message')) as [number];
  const quiet = await ask(bystander, measure);
  let over = false;
  const during = ask(bystander, measure).finally(() => {
    over = true;
  });
  const socket = connect(port, '127.0.0.1');
  const octets = Buffer.alloc(17 * CHUNK);
  while (!over) {
    if (!socket.write(octets)) await once(socket, 'drain');
    else await new Promise((resolve) => setImmediate(resolve));
  }
  socket.destroy();
  sink.disconnect();
  const attacked = await during;
  row([
    'none: octets to another process',
    '-',
    '-',
    1,
    '-',
    quiet.p99?.toFixed(2),
    attacked.p99?.toFixed(2),
    attacked.failed,
  ]);
}

async function main(): Promise<void> {
  // One is the backend, the other the client: what attacks make the first do must not delay the second.
  const [backend, bystander] = [forkBystander(), forkBystander()];
  const [[{ address = '' }]] = (await Promise.all([once(backend, 'message'), once(bystander, 'message')])) as [
    [Told],
    unknown,
  ];
  const gateway = await GatewayProcess.start({ backend: address });
  const target = { path: '/everything.v1.EverythingService/BidiStream', key: gateway.config.key('alpha') };
  const measure = { callFor: SECONDS * 1_000, port: gateway.public, key: gateway.config.key('beta') };
  try {
    await ask(bystander, measure); // Warm.
    const row = (cells: readonly unknown[]) => process.stdout.write(`| ${cells.join(' | ')} |\n`);
    row([
      'attack',
      'connection closed after',
      'code',
      'connections',
      'RSS peak / after, MiB',
      'p99 ms quiet',
      'p99 ms attacked',
      'failed',
    ]);
    row(Array.from({ length: 8 }, () => '---'));
    await control(bystander, measure, row);
    for (const flood of [...FLOODS, SINGLE]) {
      if (!flood.name.includes(WANTED)) continue;
      const quiet = await ask(bystander, measure);
      const before = gateway.residentMiB();
      let peak = before;
      let first: Awaited<ReturnType<typeof attackOnce>> | undefined;
      let connections = 0;
      const during = ask(bystander, measure);
      for (const until = performance.now() + SECONDS * 1_000; performance.now() < until; connections++) {
        const ended = await attackOnce(gateway.public, flood, target);
        first ??= ended;
        peak = Math.max(peak, gateway.residentMiB());
        await delay(PAUSE_MS);
      }
      const attacked = await during;
      const growth = `${(peak - before).toFixed(1)} / ${(gateway.residentMiB() - before).toFixed(1)}`;
      const cells = [first?.after, first?.code, connections, growth, quiet.p99?.toFixed(2), attacked.p99?.toFixed(2)];
      row([flood.name, ...cells, attacked.failed]);
    }
  } finally {
    await gateway.dispose();
    bystander.disconnect();
    backend.disconnect();
  }
}

await main();
process.exit(0);
