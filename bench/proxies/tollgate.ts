import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { Service } from '../children.ts';
import { writeContract } from '../fixtures.ts';
import type { Contender, Setup } from './proxy.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export const tollgate: Contender = {
  name: 'Tollgate',
  does: 'its full chain: keys, scopes, rate limit, concurrency, quota, breaker, UUID, header rewrite, metrics',
  install: 'src/cli/main.ts is missing',
  authenticates: true,
  version: () => tollgateVersion(ROOT),
  start: (setup) => startTollgate('tollgate', setup, embeddedIn(setup)),
};

/** Tollgate as it is in another folder: another commit, checked out and installed there. */
export function tollgateIn(folder: string): Contender {
  const root = resolve(folder);
  return {
    ...tollgate,
    name: basename(root),
    does: `Tollgate as it is in the folder \`${basename(root)}\``,
    install: `there is no src/cli/main.ts in ${root}`,
    version: () => tollgateVersion(root),
    start: (setup) => startTollgate(basename(root), setup, embeddedIn(setup), root),
  };
}

export function tollgateVersion(root = ROOT): string | undefined {
  if (!existsSync(mainOf(root))) return undefined;
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}

/**
 * @param store the section of this name in its configuration
 * @param root where its code is
 * @param telemetry more of the section of this name
 */
export function startTollgate(
  name: string,
  setup: Setup,
  store: unknown,
  root = ROOT,
  telemetry: unknown = {},
): Service {
  const config = join(setup.folder, 'tollgate.yaml');
  writeContract(join(setup.folder, 'protos'));
  mkdirSync(join(setup.folder, 'data'));
  writeFileSync(config, stringify(configuration(setup, store, telemetry)));
  return setup.children.start(name, process.execPath, [mainOf(root), 'serve', '--config', config], {
    env: { TOLLGATE_ADMIN_KEY: `tg_admin_${'0'.repeat(12)}_${'b'.repeat(48)}` },
  });
}

function mainOf(root: string): string {
  return join(root, 'src', 'cli', 'main.ts');
}

export function embeddedIn({ folder }: Setup): unknown {
  return { embedded: { path: join(folder, 'data', 'tollgate.db') } };
}

/** Limits that really count but admit: the benchmark is of work, not of refusals. */
function configuration(setup: Setup, store: unknown, telemetry: unknown): unknown {
  return {
    listeners: [
      { name: 'public', address: `127.0.0.1:${setup.port}`, contracts: ['bench'] },
      { name: 'admin', address: `127.0.0.1:${setup.adminPort ?? 0}`, contracts: ['tollgate'] },
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
    telemetry: { log_level: 'warn', ...Object(telemetry) },
  };
}
