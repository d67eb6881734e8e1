/**
 * `npm run bench:latency`: what others cost the callers of a gateway that is not busy. A fixed rate of calls, in slices that take
 * turns: at a gateway with 100 watchers of metrics, of which 10 take nothing, and at another one that nobody watches (`watchers`); and with
 * a collector of traces and metrics that runs, with one that is stopped by a signal, and with one that runs once more
 * (`collector`). Gateways, backend, load and watchers are processes of their own.
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
import { ask, compareSlices, type Measured, medianOf, ratioOf } from './slices.ts';
import type { WatchersOrder, WatchersReport } from './watchers-process.ts';

const MOST_RATIO = 1.1;
const WATCHERS = 100;
const STALLED = 10;
const CONNECTIONS = 10;
/** No divisor in common with the 20 methods: nearly a thousand series, all of which watchers are told of. */
const TENANTS = 49;
const MIB = 1_048_576;
/** Calls before anything is measured, as fast as they go: at 1,000 a second V8 would compile beside them for minutes. */
const WARM_UP = { requests: 400_000, streams: 50 };
/** The same for what watchers are told: in so many seconds, with so many calls in each, as much as in minutes. */
const WATCHED_WARM_UP = { intervalMs: 100, seconds: 20, rate: 4_000 };
/** Before each slice of `collector`, and when watchers have come: longer than it takes V8 to collect the young generation once at this rate. */
const SETTLING_SECONDS = 5;
/** Before each slice of `watchers`, where nobody comes or goes. */
const BREATH_SECONDS = 0.5;
/** As startTollgate sets it. */
const ADMIN_KEY = `tg_admin_${'0'.repeat(12)}_${'b'.repeat(48)}`;

const CLOSE = { close: true } satisfies WatchersOrder;
const WATCH = { key: ADMIN_KEY, watchers: WATCHERS, stalled: STALLED, intervalMs: 1000 };

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
  await ask(stage.load, { ...jobFor(stage, port), ...WARM_UP, rate: undefined });
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

type Gateway = Awaited<ReturnType<typeof startGateway>>;

/**
 * Of two gateways one is watched for half of the time, and then the other: no two processes are quite alike, and who comes and goes between
 * slices leaves garbage, which is not what those who watch cost. The control has what the machine has to do for watchers beside,
 * who hear from a gateway that has no calls.
 */
async function compareWatchers(stage: Stage): Promise<boolean> {
  const watchers = stage.children.start('watchers', process.execPath, [program('watchers-process.ts')], { ipc: true });
  const gateways = [await startGateway(stage, 'one', {}), await startGateway(stage, 'other', {})] as const;
  for (const gateway of gateways) await warmUpWatched(stage, watchers, gateway);
  const [one, other] = gateways;
  const halves = [await watchHalf(stage, watchers, one, other), await watchHalf(stage, watchers, other, one)];
  const [watched, control] = [0, 1].map((index) => ({
    name: halves[0]![index]!.name,
    slices: halves.flatMap((half) => half[index]!.slices),
  }));
  return tell(`${WATCHERS} watchers of metrics, ${STALLED} of them stalled`, watched!, control!);
}

async function warmUpWatched(stage: Stage, watchers: Service, { port, admin }: Gateway): Promise<void> {
  const { intervalMs, seconds, rate } = WATCHED_WARM_UP;
  await ask<WatchersReport>(watchers, { ...WATCH, port: admin, intervalMs });
  await ask(stage.load, { ...jobFor(stage, port), rate, requests: seconds * rate });
  await ask<WatchersReport>(watchers, CLOSE);
}

/** @returns what came of the first gateway, which is watched, and of the second */
async function watchHalf(stage: Stage, watchers: Service, watched: Gateway, other: Gateway): Promise<Measured[]> {
  await ask<WatchersReport>(watchers, { ...WATCH, port: watched.admin });
  for (const { port } of [watched, other]) {
    await ask(stage.load, { ...jobFor(stage, port), requests: stage.rate * SETTLING_SECONDS });
  }
  const before = residentOctets(watched.pid);
  const measured = await compareSlices({
    ...stage,
    slices: Math.ceil(stage.slices / 2),
    settling: stage.rate * BREATH_SECONDS,
    say,
    conditions: [
      { name: 'with watchers', gateway: watched, job: jobFor(stage, watched.port) },
      { name: 'without watchers', gateway: other, job: jobFor(stage, other.port) },
    ],
  });
  const { pieces, octets } = await ask<WatchersReport>(watchers, CLOSE);
  const mib = (count: number) => (count / MIB).toFixed(0);
  const after = residentOctets(watched.pid);
  say(
    `sent ${mib(octets)} MiB in ${pieces} pieces; the gateway's memory ${mib(before)} MiB at first, then ${mib(after)}`,
  );
  return measured;
}

async function compareCollector(stage: Stage): Promise<boolean> {
  const [port = 0] = await freePorts(1);
  const collector = stage.children.start('collector', process.execPath, [
    join(import.meta.dirname, '..', 'collector-process.ts'),
    String(port),
  ]);
  await accepting(collector, port);
  const gateway = await startGateway(stage, 'traced', {
    otlp: { endpoint: `http://127.0.0.1:${port}`, protocol: 'http_protobuf', metrics: { interval: '1s' } },
    tracing: { ratio: 0.01 },
  });
  let most = 0;
  const on = { gateway, job: jobFor(stage, gateway.port) };
  const [plain, stopped, control] = await compareSlices({
    ...stage,
    settling: stage.rate * SETTLING_SECONDS,
    say,
    conditions: [
      { ...on, name: 'a collector that runs' },
      {
        ...on,
        name: 'one that is stopped',
        begin: async () => collector.child.kill('SIGSTOP'),
        end: async () => {
          most = Math.max(most, residentOctets(gateway.pid));
          collector.child.kill('SIGCONT');
          // What waited is sent, and is not to count for the slice that follows.
          await delay(1000);
        },
      },
      { ...on, name: 'one that runs, again' },
    ],
  });
  say(`resident at most ${(most / MIB).toFixed(1)} MiB`);
  return tell('1 % of calls traced, metrics each second', stopped!, control!, plain);
}

const program = (name: string) => join(import.meta.dirname, name);

/**
 * Holds what is tested against the control, which has all that the machine has to do beside.
 * @param plain there to be compared with
 * @returns whether it holds
 */
function tell(what: string, tested: Measured, control: Measured, plain?: Measured): boolean {
  const ratio = ratioOf(tested, control);
  const all = [...(plain === undefined ? [] : [plain]), tested, control];
  const failed = all.flatMap(({ slices }) => slices).reduce((sum, slice) => sum + slice.failed, 0);
  const holds = ratio <= MOST_RATIO && failed === 0;
  process.stdout.write(`${what}\n`);
  for (const each of all) {
    const [p50, p99] = [medianOf(each, 'p50Ms').toFixed(2), medianOf(each, 'p99Ms').toFixed(2)];
    const cpu = medianOf(each, 'cpu').toFixed(0);
    process.stdout.write(`  ${each.name}: p50 ${p50} ms, p99 ${p99} ms, the gateway's CPU ${cpu} us a call\n`);
  }
  const others = plain === undefined ? '' : `; of ${plain.name} ${ratioOf(tested, plain).toFixed(2)} times`;
  process.stdout.write(
    `  p99 ${tested.name} is ${ratio.toFixed(2)} times that of ${control.name} (at most ${MOST_RATIO}): ` +
      `${holds ? 'holds' : 'DOES NOT HOLD'}${others}; failed ${failed}\n`,
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
      tenants: { type: 'string', default: String(TENANTS) },
    },
  });
  const backend = await startBackend(children);
  const stage: Stage = {
    children,
    folder,
    backendPort: backend.port,
    tenants: benchTenants(Number(values.tenants)),
    load: children.start('load', process.execPath, [join(import.meta.dirname, '..', 'load.ts')], { ipc: true }),
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
