/**
 * `npm run bench:latency`: what others cost the callers of a gateway that is not busy. A fixed rate of calls, in slices that take
 * turns: without and with 100 watchers of metrics, of which 10 take nothing (`watchers`); and with a collector of traces
 * and metrics that runs, and one that is stopped by a signal (`collector`). Gateway, backend, load and watchers are
 * processes of their own.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startBackend } from '../backend-process.ts';
import { accepting, type Children, freePorts, type Service, withChildren } from '../children.ts';
import { residentOctets } from '../cpu.ts';
import { type BenchTenant, benchTenants, grpcMessage, methodPaths } from '../fixtures.ts';
import type { LoadJob } from '../load.ts';
import { describeMachine } from '../machine.ts';
import { probe } from '../probe.ts';
import { embeddedIn, startTollgate } from '../proxies/tollgate.ts';
import { ask, type Compared, compareSlices, type Pair } from './slices.ts';
import type { WatchersOrder, WatchersReport } from './watchers-process.ts';

const MOST_RATIO = 1.1;
const WATCHERS = 100;
const STALLED = 10;
const CONNECTIONS = 10;
/** No divisor in common with the 20 methods: nearly a thousand series, all of which watchers are told of. */
const TENANTS = 49;
const MIB = 1_048_576;
/** As startTollgate sets it. */
const ADMIN_KEY = `tg_admin_${'0'.repeat(12)}_${'b'.repeat(48)}`;

const say = (line: string) => process.stderr.write(`${line}\n`);

interface Stage {
  readonly children: Children;
  readonly folder: string;
  readonly backendPort: number;
  readonly tenants: readonly BenchTenant[];
  readonly load: Service;
  readonly slices: number;
  readonly rate: number;
  readonly seconds: number;
}

/** Tollgate with all that it does, and the listener for administrators at a port of its own. */
async function startGateway(
  stage: Stage,
  name: string,
  telemetry: unknown,
): Promise<Service & { port: number; admin: number }> {
  const [port = 0, admin = 0] = await freePorts(2);
  const folder = join(stage.folder, name);
  mkdirSync(folder);
  const setup = { ...stage, folder, port, adminPort: admin };
  const service = startTollgate(name, setup, embeddedIn(setup), undefined, telemetry);
  await accepting(service, port);
  const { tenants } = stage;
  await probe(port, methodPaths()[0]!, tenants[0]!.key, true);
  return { ...service, port, admin };
}

function jobFor({ tenants, rate, seconds }: Stage, port: number): LoadJob {
  return {
    port,
    connections: CONNECTIONS,
    streams: 1,
    requests: rate * seconds,
    rate,
    keys: tenants.map(({ key }) => key),
    paths: methodPaths(),
    message: grpcMessage(71).toString('base64'),
  };
}

async function compareWatchers(stage: Stage): Promise<boolean> {
  const gateway = await startGateway(stage, 'watched', {});
  const program = join(import.meta.dirname, 'watchers-process.ts');
  const watchers = stage.children.start('watchers', process.execPath, [program], { ipc: true });
  const order: WatchersOrder = { port: gateway.admin, key: ADMIN_KEY, watchers: WATCHERS, stalled: STALLED };
  const close: WatchersOrder = { close: true };
  const sent = { pieces: 0, octets: 0 };
  const before = residentOctets(gateway.pid);
  const compared = await compareSlices({
    ...stage,
    gateway,
    job: jobFor(stage, gateway.port),
    say,
    begin: async () => {
      await ask<WatchersReport>(watchers, order);
      // What all were told at first is no delta.
      await delay(1500);
    },
    end: async () => {
      const { pieces, octets } = await ask<WatchersReport>(watchers, close);
      sent.pieces += pieces;
      sent.octets += octets;
      await delay(500);
    },
  });
  const grown = (residentOctets(gateway.pid) - before) / MIB;
  say(`sent ${(sent.octets / MIB).toFixed(1)} MiB in ${sent.pieces} pieces; memory grew by ${grown.toFixed(1)} MiB`);
  return tell(`${WATCHERS} watchers of metrics, ${STALLED} of them stalled, against none`, compared);
}

async function compareCollector(stage: Stage): Promise<boolean> {
  const [port = 0] = await freePorts(1);
  const program = join(import.meta.dirname, '..', 'collector-process.ts');
  const collector = stage.children.start('collector', process.execPath, [program, String(port)]);
  await accepting(collector, port);
  const gateway = await startGateway(stage, 'traced', {
    otlp: { endpoint: `http://127.0.0.1:${port}`, protocol: 'http_protobuf', metrics: { interval: '1s' } },
    tracing: { ratio: 0.01 },
  });
  let most = 0;
  const compared = await compareSlices({
    ...stage,
    gateway,
    job: jobFor(stage, gateway.port),
    say,
    begin: async () => collector.child.kill('SIGSTOP'),
    end: async () => {
      most = Math.max(most, residentOctets(gateway.pid));
      collector.child.kill('SIGCONT');
      // What waited is sent, and is not to count for the slice that follows.
      await delay(1000);
    },
  });
  say(`resident at most ${(most / MIB).toFixed(1)} MiB`);
  return tell('a collector that is stopped, against one that runs; 1 % of calls traced, metrics each second', compared);
}

/** @returns whether it holds */
function tell(what: string, { p50, p99, cpu, ratio, failed }: Compared): boolean {
  const holds = ratio <= MOST_RATIO && failed === 0;
  const pair = ([without, withIt]: Pair, digits: number) =>
    `${withIt.toFixed(digits)} against ${without.toFixed(digits)}`;
  process.stdout.write(
    `${what}: p99 ${pair(p99, 2)} ms, ratio ${ratio.toFixed(2)} (at most ${MOST_RATIO}): ${holds ? 'holds' : 'DOES NOT HOLD'}; ` +
      `p50 ${pair(p50, 2)} ms, the gateway's CPU ${pair(cpu, 0)} us a call, failed ${failed}\n`,
  );
  return holds;
}

const CASES: Readonly<Record<string, (stage: Stage) => Promise<boolean>>> = {
  watchers: compareWatchers,
  collector: compareCollector,
};

async function main(children: Children, folder: string): Promise<boolean> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      slices: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '2' },
      rate: { type: 'string', default: '1000' },
    },
  });
  const backend = await startBackend(children);
  const program = join(import.meta.dirname, '..', 'load.ts');
  const stage: Stage = {
    children,
    folder,
    backendPort: backend.port,
    tenants: benchTenants(TENANTS),
    load: children.start('load', process.execPath, [program], { ipc: true }),
    slices: Number(values.slices),
    seconds: Number(values.seconds),
    rate: Number(values.rate),
  };
  process.stdout.write(
    `${describeMachine()}; ${stage.rate} calls/s, ${stage.slices} slices of ${stage.seconds} s each\n`,
  );
  let holds = true;
  for (const name of positionals.length === 0 ? Object.keys(CASES) : positionals) {
    const compare = CASES[name];
    if (compare === undefined) throw new Error(`there is no comparison "${name}": ${Object.keys(CASES).join(', ')}`);
    holds = (await compare(stage)) && holds;
  }
  return holds;
}

try {
  process.exitCode = (await withChildren('latency', main)) ? 0 : 1;
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
