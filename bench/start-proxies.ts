import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { accepting, freePorts } from './children.ts';
import type { BenchTenant } from './fixtures.ts';
import type { Bench, Target } from './measure.ts';
import { probe } from './probe.ts';
import type { Contender } from './proxies/proxy.ts';

/** A proxy that runs and has proven that it forwards messages and trailers. */
export interface RunningProxy extends Target {
  readonly proxy: Contender;
  readonly version: string;
}

/** What was found installed and working, and a line for each proxy that was not. */
export interface StartedProxies {
  readonly running: readonly RunningProxy[];
  readonly missing: readonly string[];
  /** Installed, but it does not start or does not answer as it should. */
  readonly broken: readonly string[];
}

/** Starts those of the proxies that are installed, each on a free port and in a folder of its own. */
export async function startProxies(
  bench: Bench,
  proxies: readonly Contender[],
  tenants: readonly BenchTenant[],
): Promise<StartedProxies> {
  const running: RunningProxy[] = [];
  const missing: string[] = [];
  const broken: string[] = [];
  for (const proxy of proxies) {
    const version = proxy.version();
    if (version === undefined) missing.push(`${proxy.name} is not installed: ${proxy.install}`);
    else {
      try {
        running.push(await start(bench, proxy, version, tenants));
      } catch (error) {
        broken.push(`${proxy.name} ${version}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return { running, missing, broken };
}

async function start(
  bench: Bench,
  proxy: Contender,
  version: string,
  tenants: readonly BenchTenant[],
): Promise<RunningProxy> {
  const folder = join(bench.folder, proxy.name.replace(':', '-').toLowerCase());
  mkdirSync(folder);
  const { children, backend, paths } = bench;
  // Only now: those that run already connect to others, from ports that were free before.
  const [port = 0] = await freePorts(1);
  const service = await proxy.start({ children, folder, port, backendPort: backend.port, tenants });
  try {
    await accepting(service, port);
    await works(() => probe(port, paths[0]!, tenants[0]!.key, proxy.authenticates));
  } catch (error) {
    await children.end(service.child);
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${service.log()}`, { cause: error });
  }
  return { name: proxy.name, pid: service.pid, port, proxy, version };
}

/** One that has just begun may refuse a first call, as a gateway whose Redis is not quite awake does. @throws what the last attempt did */
async function works(attempt: () => Promise<unknown>): Promise<void> {
  for (let left = 10; ; left--) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (left === 0) throw error;
      await delay(200);
    }
  }
}
