import { parseArgs } from 'node:util';
import { startBackend } from './backend-process.ts';
import { type Children, withChildren } from './children.ts';
import { threadMicros } from './cpu.ts';
import { benchTenants, methodPaths } from './fixtures.ts';
import { LOADS, type Load } from './loads.ts';
import { type Bench, measure, type Target } from './measure.ts';
import { shortName } from './options.ts';
import { PROXIES, VARIANTS } from './proxies/index.ts';
import type { Contender } from './proxies/proxy.ts';
import { tollgate, tollgateIn } from './proxies/tollgate.ts';
import { startProxies } from './start-proxies.ts';
import { median } from './table.ts';

const CONTENDERS = [...PROXIES, ...VARIANTS];

const USAGE = `npm run bench:compare -- WHAT [options]       this Tollgate against WHAT: a folder, or one of
                                              ${CONTENDERS.map(shortName).join(',')}
npm run bench:compare -- WHAT... [options]    each against the last, in slices by turns
  --loads NAMES   some loads: ${LOADS.map((load) => load.name).join(',')}
  --slices N      slices of each load at each of them (default 20)
  --requests N    requests of a slice of load a (default 20000)
  --tenants N     keys (default 10); each is a connection of its own in a, b and bulk`;

/** Slices that count for nothing: code is compiled, which one call in a hundred runs through, and caches fill. */
const WARM_UP = 12;

interface Job {
  readonly bench: Bench;
  readonly load: Load;
  readonly keys: readonly string[];
  readonly requests: number;
  readonly slices: number;
}

/** Each target's cost in each slice, in microseconds of CPU per request. */
async function costsOf({ bench, load, keys, requests, slices }: Job, targets: readonly Target[]): Promise<number[][]> {
  const costs: number[][] = targets.map(() => []);
  for (let slice = -WARM_UP; slice < slices; slice += 1) {
    for (let turn = 0; turn < targets.length; turn += 1) {
      // Who is first takes turns, too.
      const place = (turn + slice + WARM_UP) % targets.length;
      const { cpuMicrosPerRequest } = await measure(bench, targets[place]!, load, keys, requests);
      if (slice >= 0) costs[place]!.push(cpuMicrosPerRequest);
    }
  }
  return costs;
}

function toRow(load: Load, name: string, own: readonly number[], other: readonly number[]): string {
  const ratios = own.map((mine, index) => mine / other[index]!).sort((a, b) => a - b);
  const quarter = (share: number) => ratios[Math.floor(ratios.length * share)]!.toFixed(3);
  const cells = [
    load.name,
    name,
    median(own).toFixed(2),
    median(other).toFixed(2),
    median(ratios).toFixed(3),
    `${quarter(0.25)} to ${quarter(0.75)}`,
    (Math.min(...own) / Math.min(...other)).toFixed(3),
  ];
  return `| ${cells.join(' | ')} |`;
}

async function main(children: Children, folder: string): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      loads: { type: 'string', default: LOADS.map((load) => load.name).join(',') },
      slices: { type: 'string', default: '20' },
      requests: { type: 'string', default: '20000' },
      tenants: { type: 'string', default: '10' },
    },
  });
  if (positionals.length === 0) throw new Error(USAGE);
  const contenders = positionals.map(contenderOf);
  if (contenders.length === 1) contenders.unshift(tollgate);
  const bench: Bench = {
    children,
    folder,
    backend: await startBackend(children),
    paths: methodPaths(),
    cpu: threadMicros,
  };
  const tenants = benchTenants(Number(values.tenants));
  const { running, missing, broken } = await startProxies(bench, contenders, tenants);
  const last = running.at(-1);
  if (last === undefined || running.length < contenders.length) throw new Error([...missing, ...broken].join('\n'));
  const keys = tenants.map(({ key }) => key);
  const names = values.loads.split(',');
  process.stdout.write(`| load | gateway | us | us of ${last.name} | ratio | quartiles | ratio of the least |\n`);
  process.stdout.write('|---|---|---|---|---|---|---|\n');
  for (const load of LOADS.filter(({ name }) => names.includes(name))) {
    const requests = Math.ceil(Number(values.requests) * load.share);
    const job = { bench, load, keys, requests, slices: Number(values.slices) };
    const costs = await costsOf(job, running);
    for (const [place, { name }] of running.slice(0, -1).entries()) {
      process.stdout.write(`${toRow(load, name, costs[place]!, costs.at(-1)!)}\n`);
    }
  }
}

function contenderOf(what: string): Contender {
  return CONTENDERS.find((contender) => shortName(contender) === what) ?? tollgateIn(what);
}

try {
  await withChildren('compare', main);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
