import { join } from 'node:path';
import { startBackend } from './backend-process.ts';
import { type Children, withChildren } from './children.ts';
import { cpuMicros } from './cpu.ts';
import { benchTenants, methodPaths } from './fixtures.ts';
import { h2loadPath } from './h2load.ts';
import type { Bench } from './measure.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { report } from './report.ts';
import { runRounds } from './rounds.ts';
import { startProxies } from './start-proxies.ts';
import { writeBetweenMarkers } from './write.ts';

const ROOT = join(import.meta.dirname, '..');
const DOCUMENTS = ['README.md', 'docs/benchmarks.md'];

const say = (line: string) => process.stderr.write(`${line}\n`);

/** @returns the exit code: 1 when something that is installed could not be measured */
async function bench(options: Options, children: Children, folder: string): Promise<number> {
  const backend = await startBackend(children);
  const shared: Bench = { children, folder, backend, paths: methodPaths(), cpu: cpuMicros };
  const tenants = benchTenants(options.tenants);
  const proxies = await startProxies(shared, options.proxies, tenants);
  for (const line of [...proxies.missing, ...proxies.broken]) say(line);
  const loads = await runRounds(shared, options, proxies.running, tenants, say);
  const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
  const text = report(command, new Date().toISOString().slice(0, 10), options.rounds, proxies, loads);
  process.stdout.write(`${text}\n`);
  if (options.write) {
    for (const document of DOCUMENTS) {
      const written = writeBetweenMarkers(join(ROOT, document), text);
      say(written ? `written into ${document}` : `${document} has no pair of <!-- bench --> lines`);
    }
  }
  const failed = loads.some(({ rows }) => rows.some((row) => row.failure !== undefined));
  return failed || proxies.broken.length > 0 ? 1 : 0;
}

async function main(options: Options): Promise<number> {
  if (h2loadPath() === undefined) {
    throw new Error('h2load drives the benchmark: install the Debian package nghttp2-client');
  }
  return withChildren('bench', (children, folder) => bench(options, children, folder));
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) say(USAGE);
  else process.exitCode = await main(options);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
