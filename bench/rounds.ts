import type { Children } from './children.ts';
import { residentOctets } from './cpu.ts';
import type { BenchTenant } from './fixtures.ts';
import type { Load } from './loads.ts';
import { type Bench, measure, type Sample, type Target } from './measure.ts';
import type { Options } from './options.ts';
import type { RunningProxy } from './start-proxies.ts';
import type { Row } from './table.ts';

/** One load at all proxies. */
export interface LoadResult {
  readonly load: Load;
  readonly rows: readonly Row[];
  /** The same load sent to the backend itself, its own CPU time: shows that it is not the bottleneck. */
  readonly direct: Sample;
}

interface Cell {
  readonly target: RunningProxy;
  readonly samples: Sample[];
  residentOctets: number;
  failure: string | undefined;
}

interface Plan {
  readonly load: Load;
  readonly requests: number;
  readonly cells: readonly Cell[];
  readonly direct: Sample;
}

/** A warm-up sends this share of a round's requests, with every key: measured is a proxy that has run for a while. */
const WARM_UP = 0.5;

/**
 * Measures every load at every proxy, `rounds` times. The proxies take turns within a round, so that what else the
 * machine does hits all alike, and each round begins with another.
 */
export async function runRounds(
  bench: Bench,
  options: Options,
  running: readonly RunningProxy[],
  tenants: readonly BenchTenant[],
  say: (line: string) => void,
): Promise<LoadResult[]> {
  const plans: Plan[] = [];
  for (const load of options.loads) plans.push(await warmUp(bench, options, load, running, tenants));
  for (let round = 0; round < options.rounds; round += 1) {
    for (const plan of plans) {
      const keys = keysOfRound(plan.load, tenants, round, options.rounds);
      for (let turn = 0; turn < running.length; turn += 1) {
        const cell = plan.cells[(turn + round) % running.length]!;
        if (cell.failure === undefined) await sampleCell(bench, plan, cell, keys);
        say(`round ${round + 1}  ${plan.load.name.padEnd(9)}${cell.target.name.padEnd(12)}${describe(cell)}`);
      }
    }
  }
  return plans.map(({ load, cells, direct }) => ({
    load,
    direct,
    rows: cells.map(({ target, ...cell }) => ({ name: target.name, ...cell })),
  }));
}

async function warmUp(
  bench: Bench,
  options: Options,
  load: Load,
  running: readonly RunningProxy[],
  tenants: readonly BenchTenant[],
): Promise<Plan> {
  const requests = Math.ceil(options.requests * load.share);
  const few = tenants.slice(0, 2 * load.connections).map((tenant) => tenant.key);
  const backend: Target = { name: 'backend', pid: bench.backend.pid, port: bench.backend.port };
  const direct = await measure(bench, backend, load, few, requests);
  const cells = running.map((target): Cell => ({ target, samples: [], residentOctets: 0, failure: undefined }));
  for (const cell of cells) {
    const keys = load.keysPerRound < tenants.length ? few : tenants.map((tenant) => tenant.key);
    await attempt(bench.children, cell, () => measure(bench, cell.target, load, keys, Math.ceil(requests * WARM_UP)));
  }
  return { load, requests, cells, direct };
}

async function sampleCell(bench: Bench, plan: Plan, cell: Cell, keys: readonly string[]): Promise<void> {
  await attempt(bench.children, cell, async () => {
    cell.samples.push(await measure(bench, cell.target, plan.load, keys, plan.requests));
    cell.residentOctets = residentOctets(cell.target.pid);
  });
}

/** A proxy that fails at a load is out of this load, and does not end the run. */
async function attempt(children: Children, cell: Cell, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (children.ending) throw error;
    cell.failure = error instanceof Error ? error.message : String(error);
    cell.samples.length = 0;
  }
}

/** The share of all keys that a round sends: over all rounds each comes at least once, and waves are full. */
export function keysOfRound(load: Load, tenants: readonly BenchTenant[], round: number, rounds: number): string[] {
  if (load.driver === 'mixed') return tenants.map((tenant) => tenant.key);
  const share = Math.min(Math.ceil(tenants.length / rounds), load.keysPerRound);
  const full = Math.ceil(share / load.connections) * load.connections;
  return Array.from({ length: full }, (_, index) => tenants[(round * full + index) % tenants.length]!.key);
}

function describe(cell: Cell): string {
  const sample = cell.samples.at(-1);
  if (sample === undefined) return `failed: ${cell.failure ?? ''}`;
  return `${sample.cpuMicrosPerRequest.toFixed(2).padStart(8)} us/request ${sample.requestsPerSecond.toFixed(0).padStart(8)} requests/s`;
}
