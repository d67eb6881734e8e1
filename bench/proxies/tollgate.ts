import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Service } from '../children.ts';
import { writeContract } from '../fixtures.ts';
import type { Contender, Setup } from './proxy.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MAIN = join(ROOT, 'src', 'cli', 'main.ts');

export const tollgate: Contender = {
  name: 'Tollgate',
  does: 'its full chain: keys, scopes, rate limit, concurrency, quota, breaker, UUID, header rewrite, metrics',
  install: 'src/cli/main.ts is missing',
  authenticates: true,
  version: tollgateVersion,
  start(setup) {
    return startTollgate('tollgate', setup, { embedded: { path: join(setup.folder, 'data', 'tollgate.db') } });
  },
};

export function tollgateVersion(): string | undefined {
  if (!existsSync(MAIN)) return undefined;
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return version;
}

/** @param store the section of this name in its configuration */
export function startTollgate(name: string, setup: Setup, store: unknown): Service {
  const config = join(setup.folder, 'tollgate.yaml');
  writeContract(join(setup.folder, 'protos'));
  mkdirSync(join(setup.folder, 'data'));
  writeFileSync(config, stringify(configuration(setup, store)));
  return setup.children.start(name, process.execPath, [MAIN, 'serve', '--config', config], {
    env: { TOLLGATE_ADMIN_KEY: `tg_admin_${'0'.repeat(12)}_${'b'.repeat(48)}` },
  });
}

/** Limits that really count but admit: the benchmark is of work, not of refusals. */
function configuration(setup: Setup, store: unknown): unknown {
  return {
    listeners: [
      { name: 'public', address: `127.0.0.1:${setup.port}`, contracts: ['bench'] },
      { name: 'admin', address: '127.0.0.1:0', contracts: ['tollgate'] },
    ],
    store,
    backends: [{ name: 'echo', endpoints: [`127.0.0.1:${setup.backendPort}`] }],
    contracts: [{ name: 'bench', protos: join(setup.folder, 'protos'), backend: 'echo' }],
    plans: [
      {
        name: 'bench',
        limits: [{ name: 'calls', rate: 1_000_000, burst: 1_000_000 }],
        quotas: [{ metric: 'units', limit: 1_000_000_000, period: 'PERIOD_DAY', time_zone: 'UTC' }],
        concurrency: 10_000,
      },
    ],
    tenants: setup.tenants.map(({ id, key }) => ({
      id,
      plan: 'bench',
      keys: [{ name: 'bench', sha256: createHash('sha256').update(key).digest('hex') }],
    })),
    telemetry: { log_level: 'warn' },
  };
}
