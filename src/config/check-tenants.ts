import { type Quota, Quota_Period, type RateLimit } from '../../generated/tollgate/admin/v1/plan.ts';
import type { Config, Tenant, Tenant_Key } from '../../generated/tollgate/config/v1/config.ts';
import { hashKey, isPlausibleKey } from '../tenants/key-text.ts';
import type { CheckContext } from './check-context.ts';
import { complainOfTwins } from './check-references.ts';
import type { Path } from './source.ts';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Plans: limits and quotas that are named once and make sense. */
export function checkPlans(context: CheckContext, config: Config): void {
  config.plans.forEach((plan, index) => {
    checkPlan(context, plan, ['plans', index]);
  });
}

interface LimitsAndQuotas {
  readonly limits: readonly RateLimit[];
  readonly quotas: readonly Quota[];
}

function checkPlan({ source }: CheckContext, plan: LimitsAndQuotas, at: Path): void {
  complainOfTwins(
    source,
    [...at, 'limits'],
    plan.limits.map((limit) => limit.name),
    'limit',
    'name',
  );
  const metrics = plan.quotas.map(
    (quota) => `${quota.metric} per ${quota.period === Quota_Period.PERIOD_DAY ? 'day' : 'month'}`,
  );
  complainOfTwins(source, [...at, 'quotas'], metrics, 'quota', 'metric');
  plan.quotas.forEach((quota, index) => {
    const here = [...at, 'quotas', index];
    if (quota.timeZone !== '' && !isTimeZone(quota.timeZone)) {
      source.complain(
        [...here, 'time_zone'],
        `"${quota.timeZone}" is not a time zone`,
        'an IANA name: UTC, Europe/Berlin, America/New_York',
      );
    }
    if (quota.period === Quota_Period.PERIOD_DAY && quota.anchor > 23) {
      source.complain([...here, 'anchor'], `a day cannot start at hour ${quota.anchor}`, 'an hour from 0 to 23');
    }
  });
}

/** True for a name of the IANA database (as far as this machine's ICU knows it). */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    // Offsets are accepted by Intl but have no summer time: a name is asked for.
    return !/^[+-]/.test(name);
  } catch {
    return false;
  }
}

/** Tenants: keys that are named once, have a secret, and belong to one tenant. */
export function checkTenants(context: CheckContext, config: Config, env: Environment): void {
  const owners = new Map<string, string>();
  config.tenants.forEach((tenant, index) => {
    checkTenant(context, tenant, ['tenants', index], env, owners);
  });
}

function checkTenant(
  context: CheckContext,
  tenant: Tenant,
  at: Path,
  env: Environment,
  owners: Map<string, string>,
): void {
  if (tenant.overrides !== undefined) checkPlan(context, tenant.overrides, [...at, 'overrides']);
  complainOfTwins(
    context.source,
    [...at, 'keys'],
    tenant.keys.map((key) => key.name),
    'key',
    'name',
  );
  tenant.keys.forEach((key, index) => {
    const here = [...at, 'keys', index];
    checkPlan(context, { limits: key.limits, quotas: [] }, here);
    const hash = checkKey(context, key, here, env);
    if (hash === undefined) return;
    const owner = owners.get(hash);
    const secret = key.secret?.$case === 'fromEnv' ? 'from_env' : 'sha256';
    if (owner !== undefined) context.source.complain([...here, secret], `the key is that of ${owner} too`);
    else owners.set(hash, `"${key.name}" of tenant "${tenant.id}"`);
  });
}

/** The SHA-256 of a key that is all right. Never shows what a variable holds. */
function checkKey({ source }: CheckContext, key: Tenant_Key, at: Path, env: Environment): string | undefined {
  if (key.secret === undefined) {
    if (!source.isFaulty([...at, 'sha256']) && !source.isFaulty([...at, 'from_env'])) {
      source.complain(
        [...at, 'sha256'],
        'the key has no secret',
        '"sha256": its hash in hex, or "from_env": a variable that holds it',
      );
    }
    return undefined;
  }
  if (key.secret.$case === 'sha256') return key.secret.sha256;
  const name = key.secret.fromEnv;
  const path = [...at, 'from_env'];
  const text = env[name];
  if (name === '') source.complain(path, '"from_env" is empty', 'the name of an environment variable');
  else if (text === undefined || text === '')
    source.complain(path, `the environment has no variable ${name}`, `export ${name}=tg_...`);
  else if (!isPlausibleKey(text))
    source.complain(
      path,
      `what ${name} holds is not an API key`,
      '22 to 256 visible characters, as in tg_<name>_<id>_<secret>',
    );
  else return hashKey(text);
  return undefined;
}
