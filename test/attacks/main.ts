/**
 * `npm run attack`: each flood, ten times a second for some seconds, and what came of it: when and how its connection was
 * closed, what the gateway's memory did, and how another client fared. `npm run attack -- 5 ping` takes 5 s for each whose
 * name has `ping` in it.
 *
 * The other client is measured in short slices that take turns: quiet, as many octets sent to a process that throws them away,
 * and attacked. All processes are on one machine, so the middle one tells what the attacker's own CPU does to the client, and
 * the attack is held against that; and in every slice the client also asks a bare echo server.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { data } from '../support/frames.ts';
import { ProbedGateway } from '../support/probed-gateway.ts';
import { Attacker, call } from './attacker.ts';
import type { Order, Told } from './bystander.ts';
import { FLOODS, type Flood, type Target } from './floods.ts';
import { Latencies, SLICES, type Slice } from './latencies.ts';

const SECONDS = Number(process.argv[2] ?? 2);
const WANTED = process.argv[3] ?? '';
/** Of each kind in turn; together they last as long as was asked for. */
const ROUNDS = 5;
const CHUNK = 16;
/** Between attacks: all processes are on one machine, and its CPU must not be what is measured. */
const PAUSE_MS = 100;
/** Units that one connection sends at most, where nothing stops it. */
const MOST = 20_000;
const MIB = 1_048_576;
/** Slower than this is not noticed: the timers and the scheduler of a machine are no better. */
const NOTICED_MS = 2;

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

interface Ended {
  /** Units sent until it was closed, or streams begun. */
  readonly after: string;
  readonly code: string;
  readonly sent: number;
}

/** One connection's flood. */
async function attackOnce(port: number, flood: Flood, target: Target): Promise<Ended> {
  const attacker = await Attacker.open(port);
  if (flood.opening) attacker.socket.write(flood.opening(target));
  const sent = (await attacker.flood(chunks(flood, target))) * CHUNK;
  const refused = attacker.refused;
  const { goaway } = attacker;
  attacker.close();
  if (!refused) return { after: `not within ${MOST} ${flood.unit}`, code: '-', sent };
  const after =
    flood.unit === 'streams' && goaway ? `${(goaway.lastStream + 1) / 2} streams` : `<= ${sent} ${flood.unit}`;
  return { after, code: String(goaway?.code ?? 'none'), sent };
}

/** The same octets to a process that throws them away. */
async function sendElsewhere(port: number, flood: Flood, target: Target, units: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (flood.opening) socket.write(flood.opening(target));
  let sent = 0;
  for (const chunk of chunks(flood, target)) {
    if (sent >= units) break;
    sent += CHUNK;
    if (!socket.write(chunk)) await once(socket, 'drain');
    else if ((sent / CHUNK) % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  socket.destroy();
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

function start(program: string, ...args: string[]): ChildProcess {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), args);
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

async function firstWord<T>(child: ChildProcess): Promise<T> {
  const [told] = (await once(child, 'message')) as [T];
  return told;
}

interface Scene {
  readonly probed: ProbedGateway;
  readonly bystander: ChildProcess;
  readonly measure: Order;
  readonly target: Target;
  readonly sinkPort: number;
}

interface Report {
  readonly ended: Ended;
  readonly connections: number;
  readonly latencies: Latencies;
  /** MiB: the most beside what it was before, while under attack. */
  readonly peak: number;
}

/** Works on the flood for a slice, over and over. @returns how the first connection ended, and how many there were */
async function underFlood(
  { bystander, measure }: Scene,
  once: () => Promise<unknown>,
): Promise<{ told: Told; connections: number }> {
  let over = false;
  const during = ask(bystander, measure).finally(() => {
    over = true;
  });
  let connections = 0;
  for (; !over; connections++) {
    await once();
    await delay(PAUSE_MS);
  }
  return { told: await during, connections };
}

async function observe(scene: Scene, flood: Flood): Promise<Report> {
  const { probed, target, sinkPort } = scene;
  const { gateway } = probed;
  const latencies = new Latencies();
  let ended: Ended = { after: '-', code: '-', sent: MOST };
  let connections = 0;
  let peak = 0;
  const attack = async () => {
    const before = gateway.residentMiB();
    const result = await attackOnce(gateway.public, flood, target);
    peak = Math.max(peak, gateway.residentMiB() - before);
    if (ended.code === '-') ended = result;
  };
  await attack(); // How much the others are to be sent.
  const work: Record<Slice, () => Promise<unknown>> = {
    quiet: () => delay(PAUSE_MS),
    elsewhere: () => sendElsewhere(sinkPort, flood, target, ended.sent),
    attacked: attack,
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < SLICES.length; turn++) {
      const slice = SLICES[(turn + round) % SLICES.length]!;
      const { told, connections: made } = await underFlood(scene, work[slice]);
      latencies.add(slice, told);
      if (slice === 'attacked') connections += made;
    }
  }
  return { ended, connections, latencies, peak };
}

const row = (cells: readonly unknown[]) => process.stdout.write(`| ${cells.join(' | ')} |\n`);

/** @returns whether the other client noticed more than twice what it would have without the gateway being attacked */
function print(flood: Flood, { ended, connections, latencies, peak }: Report, back: number): boolean {
  const triple = (of: (slice: Slice) => number) => SLICES.map((slice) => of(slice).toFixed(2)).join(' / ');
  const calls = (slice: Slice) => latencies.callP99(slice);
  const machine = latencies.echoP99('attacked') / latencies.echoP99('elsewhere');
  const ratio = calls('attacked') / calls('elsewhere');
  const memory = `${peak.toFixed(1)} / ${back.toFixed(1)}`;
  row([
    flood.name,
    ended.after,
    ended.code,
    connections,
    memory,
    triple(calls),
    triple((slice) => latencies.echoP99(slice)),
    `${ratio.toFixed(2)} (${machine.toFixed(2)})`,
    latencies.failed,
  ]);
  return ratio > 2 && calls('attacked') > NOTICED_MS;
}

async function main(): Promise<number> {
  // One is the backend, the other the client: what attacks make the first do must not delay the second.
  const backend = start('./bystander.ts');
  const bystander = start('./bystander.ts');
  const echo = start('./plain-server.ts', 'echo');
  const sink = start('./plain-server.ts', 'sink');
  const [{ address = '' }, , { port: echoPort }, { port: sinkPort }] = await Promise.all([
    firstWord<Told>(backend),
    firstWord<Told>(bystander),
    firstWord<{ port: number }>(echo),
    firstWord<{ port: number }>(sink),
  ]);
  const probed = await ProbedGateway.start({ backend: address });
  const { gateway } = probed;
  const target = { path: '/everything.v1.EverythingService/BidiStream', key: gateway.config.key('alpha') };
  const callFor = (SECONDS * 1_000) / ROUNDS;
  const measure = { callFor, port: gateway.public, echoPort, key: gateway.config.key('beta') };
  const scene = { probed, bystander, measure, target, sinkPort };
  let slow = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) await ask(bystander, measure); // Warm.
    row([
      'attack',
      'connection closed after',
      'code',
      'connections',
      'RSS MiB: peak / when it is over',
      'p99 ms of calls: quiet / elsewhere / attacked',
      'p99 ms of echoes: the same',
      'attacked / elsewhere (echoes)',
      'failed',
    ]);
    row(Array.from({ length: 9 }, () => '---'));
    for (const flood of [...FLOODS, SINGLE].filter(({ name }) => name.includes(WANTED))) {
      const before = await probed.holdings(true);
      const report = await observe(scene, flood);
      const after = await probed.holdings(true);
      if (print(flood, report, ((after.squeezed ?? 0) - (before.squeezed ?? 0)) / MIB)) slow++;
    }
  } finally {
    await gateway.dispose();
    for (const child of [bystander, backend, echo, sink]) child.disconnect();
  }
  return slow;
}

const slow = await main();
if (slow > 0) process.stderr.write(`FAILED: ${slow} attacks more than double another client's p99\n`);
process.exit(slow > 0 ? 1 : 0);
