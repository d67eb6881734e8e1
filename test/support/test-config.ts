import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { Config } from '../../generated/tollgate/config/v1/config.ts';
import { EVERYTHING_PROTOS } from './everything-methods.ts';

/** A self-signed certificate for localhost and 127.0.0.1, and its key: PEM files. */
export const TLS_CERT = fileURLToPath(new URL('./tls/server.crt', import.meta.url));
export const TLS_KEY = fileURLToPath(new URL('./tls/server.key', import.meta.url));

/** The configuration of a gateway under test, with the secrets that it takes from its environment. */
export interface TestConfig {
  readonly config: Config;
  readonly env: Readonly<Record<string, string>>;
  readonly adminKey: string;
  /** The key of a tenant of the configuration. @throws when there is none */
  key(tenant: string): string;
}

export interface TestConfigOptions {
  /** host:port of the everything backend. */
  readonly backend: string;
  /** Changes the default configuration before it is used. */
  readonly edit?: ((config: Config) => void) | undefined;
  /** Scopes of a tenant's key. Default: `everything.scoped`. */
  readonly scopes?: ((tenant: string) => string[]) | undefined;
}

/** The text of a new API key. */
export function newKey(name: string): string {
  return `tg_${name}_${randomBytes(8).toString('hex')}_${randomBytes(24).toString('hex')}`;
}

/**
 * A public and an admin listener on free ports, the everything contract before one backend, and the tenants `alpha` and
 * `beta` on a plan without limits that a test would notice. Each tenant without keys gets one.
 */
export function testConfig({ backend, edit, scopes = () => ['everything.scoped'] }: TestConfigOptions): TestConfig {
  const config = Config.fromPartial({
    listeners: [
      { name: 'public', address: '127.0.0.1:0', contracts: ['everything'] },
      { name: 'admin', address: '127.0.0.1:0', contracts: ['tollgate'] },
    ],
    store: { kind: { $case: 'embedded', embedded: { path: './tollgate.db' } } },
    backends: [{ name: 'everything', endpoints: [backend] }],
    contracts: [{ name: 'everything', source: { $case: 'protos', protos: EVERYTHING_PROTOS }, backend: 'everything' }],
    plans: [
      {
        name: 'wide',
        limits: [{ name: 'calls', rate: 1_000_000, burst: 1_000_000 }],
        quotas: [{ metric: 'units', limit: 1_000_000_000, period: Quota_Period.PERIOD_DAY, timeZone: 'UTC' }],
      },
    ],
    tenants: [
      { id: 'alpha', plan: 'wide' },
      { id: 'beta', plan: 'wide' },
    ],
    telemetry: { logLevel: 'warn' },
  });
  edit?.(config);
  const adminKey = newKey('admin');
  const env: Record<string, string> = { TOLLGATE_ADMIN_KEY: adminKey };
  const keys = new Map<string, string>();
  for (const tenant of config.tenants) {
    if (tenant.keys.length > 0) continue;
    const variable = `TEST_KEY_${tenant.id.toUpperCase().replaceAll('-', '_')}`;
    const key = newKey(tenant.id);
    keys.set(tenant.id, key);
    env[variable] = key;
    tenant.keys = [
      { name: 'test', secret: { $case: 'fromEnv', fromEnv: variable }, scopes: scopes(tenant.id), limits: [] },
    ];
  }
  return {
    config,
    env,
    adminKey,
    key: (tenant) => {
      const key = keys.get(tenant);
      if (key === undefined) throw new Error(`the configuration has no tenant ${tenant}`);
      return key;
    },
  };
}
