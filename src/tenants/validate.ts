import { type ApiKey, ApiKey_State } from '../../generated/tollgate/admin/v1/api_key.ts';
import {
  type Plan,
  Plan_Priority,
  Plan_WhenStoreSilent,
  type Quota,
  Quota_Period,
  type RateLimit,
} from '../../generated/tollgate/admin/v1/plan.ts';
import { type PlanOverrides, type Tenant, Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { InvalidArgument } from './errors.ts';
import { type Fault, faultsOfCertificate, faultsOfIssuer, faultsOfNames } from './issuer-rules.ts';
import { ADMIN_TENANT } from './reserved.ts';
import { SCOPE } from './scope.ts';

// What must hold of a message before it is stored, whoever brought it: the data plane trusts what it reads.

const TENANT_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
const PLAN_ID = /^[a-z][a-z0-9-]{0,62}$/;
const LIMIT_NAME = /^[a-z][a-z0-9_-]{0,62}$/;
const PRIORITIES: ReadonlySet<number> = new Set(Object.values(Plan_Priority));
const SILENT_POLICIES: ReadonlySet<number> = new Set(Object.values(Plan_WhenStoreSilent));
const ALLOWED_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*(\/[A-Za-z_][A-Za-z0-9_]*)?$/;
const MAX_ALLOWED = 1024;
const MAX_ALLOWED_NAME = 512;
const MAX_LIST = 64;
const MAX_DISPLAY_NAME = 200;
const MAX_UINT32 = 0xffff_ffff;

export function checkTenantId(field: string, id: string): void {
  check(TENANT_ID.test(id), field, 'must match [a-z0-9][a-z0-9-]{0,62}');
}

export function checkPlanId(field: string, id: string): void {
  check(PLAN_ID.test(id), field, 'must match [a-z][a-z0-9-]{0,62}');
}

/** @throws InvalidArgument */
export function checkTenant(tenant: Tenant): void {
  checkTenantId('tenant.id', tenant.id);
  // Code points, as protovalidate counts.
  check([...tenant.displayName].length <= MAX_DISPLAY_NAME, 'tenant.display_name', 'must have at most 200 characters');
  checkPlanId('tenant.plan', tenant.plan);
  const known = tenant.state === Tenant_State.STATE_ACTIVE || tenant.state === Tenant_State.STATE_SUSPENDED;
  check(known, 'tenant.state', 'must be STATE_ACTIVE or STATE_SUSPENDED');
  checkAllowed('tenant.allowed', tenant.allowed);
  if (tenant.overrides !== undefined) checkOverrides('tenant.overrides', tenant.overrides);
}

function checkOverrides(field: string, { limits, quotas, concurrency, priority }: PlanOverrides): void {
  checkLimits(`${field}.limits`, limits);
  checkQuotas(`${field}.quotas`, quotas);
  if (concurrency !== undefined) checkUint32(`${field}.concurrency`, concurrency, 0);
  check(PRIORITIES.has(priority), `${field}.priority`, 'must be PRIORITY_LOW, PRIORITY_NORMAL or PRIORITY_HIGH');
}

function checkAllowed(field: string, names: readonly string[]): void {
  check(names.length <= MAX_ALLOWED, field, `must be at most ${MAX_ALLOWED}`);
  names.forEach((name, i) => {
    const fits = name.length <= MAX_ALLOWED_NAME && ALLOWED_NAME.test(name);
    check(fits, `${field}[${i}]`, 'must be a contract, a service (pkg.Service) or a method (pkg.Service/Method)');
  });
  checkUnique(field, 'name', names);
}

/**
 * What a tenant says of whom it trusts.
 * @param httpHosts hosts whose key sets may come over http
 * @throws InvalidArgument
 */
export function checkIdentities({ id, issuers, clientCertificates }: Tenant, httpHosts: ReadonlySet<string>): void {
  const rules = { httpHosts, filesAllowed: false, ownersScopes: id === ADMIN_TENANT };
  issuers.forEach((issuer, i) => {
    refuse(`tenant.issuers[${i}]`, faultsOfIssuer(issuer, rules));
  });
  clientCertificates.forEach((certificate, i) => {
    refuse(`tenant.client_certificates[${i}]`, faultsOfCertificate(certificate, rules));
  });
  refuse('tenant', faultsOfNames(issuers, clientCertificates));
}

/** @throws InvalidArgument */
export function checkPlan(plan: Plan): void {
  checkPlanId('plan.id', plan.id);
  checkUint32('plan.concurrency', plan.concurrency, 0);
  check(PRIORITIES.has(plan.priority), 'plan.priority', 'must be PRIORITY_LOW, PRIORITY_NORMAL or PRIORITY_HIGH');
  check(SILENT_POLICIES.has(plan.whenStoreSilent ?? 0), 'plan.when_store_silent', 'must be one of its values');
  checkLimits('plan.limits', plan.limits);
  checkQuotas('plan.quotas', plan.quotas);
  checkAllowed('plan.allowed', plan.allowed);
}

/** @throws InvalidArgument */
export function checkKey(key: ApiKey): void {
  check(TENANT_ID.test(key.name), 'api_key.name', 'must match [a-z0-9][a-z0-9-]{0,62}');
  check(key.scopes.length <= MAX_LIST, 'api_key.scopes', `must be at most ${MAX_LIST}`);
  key.scopes.forEach((scope, i) => {
    check(SCOPE.test(scope), `api_key.scopes[${i}]`, `must match ${SCOPE.source}`);
  });
  checkUnique('api_key.scopes', 'scope', key.scopes);
  const known = key.state === ApiKey_State.STATE_ACTIVE || key.state === ApiKey_State.STATE_DISABLED;
  check(known, 'api_key.state', 'must be STATE_ACTIVE or STATE_DISABLED');
  checkLimits('api_key.limits', key.limits);
  const { expireTime } = key;
  check(expireTime === undefined || !Number.isNaN(expireTime.getTime()), 'api_key.expire_time', 'is no time');
}

function checkLimits(field: string, limits: readonly RateLimit[]): void {
  check(limits.length <= MAX_LIST, field, `must be at most ${MAX_LIST}`);
  limits.forEach((limit, i) => {
    checkLimit(`${field}[${i}]`, limit);
  });
  const names = limits.map(({ name }) => name);
  checkUnique(field, 'name', names);
}

function checkQuotas(field: string, quotas: readonly Quota[]): void {
  check(quotas.length <= MAX_LIST, field, `must be at most ${MAX_LIST}`);
  quotas.forEach((quota, i) => {
    checkQuota(`${field}[${i}]`, quota);
  });
  // Two quotas of one metric may stand side by side, a daily and a monthly one.
  const metrics = quotas.map(({ metric, period }) => `${metric} ${period}`);
  checkUnique(field, 'metric and period', metrics);
}

function checkLimit(field: string, { name, rate, burst }: RateLimit): void {
  check(LIMIT_NAME.test(name), `${field}.name`, 'must match [a-z][a-z0-9_-]{0,62}');
  check(Number.isFinite(rate) && rate > 0, `${field}.rate`, 'must be calls per second, more than 0');
  checkUint32(`${field}.burst`, burst, 1);
}

function checkQuota(field: string, quota: Quota): void {
  check(LIMIT_NAME.test(quota.metric), `${field}.metric`, 'must match [a-z][a-z0-9_-]{0,62}');
  check(Number.isSafeInteger(quota.limit) && quota.limit >= 0, `${field}.limit`, 'must be 0 to 2^53 - 1');
  const { period } = quota;
  const known = period === Quota_Period.PERIOD_DAY || period === Quota_Period.PERIOD_MONTH;
  check(known, `${field}.period`, 'must be PERIOD_DAY or PERIOD_MONTH');
  const max = period === Quota_Period.PERIOD_DAY ? 23 : 31;
  const whole = Number.isInteger(quota.anchor) && quota.anchor >= 0 && quota.anchor <= max;
  check(
    whole,
    `${field}.anchor`,
    period === Quota_Period.PERIOD_DAY ? 'must be an hour, 0 to 23' : 'must be a day, 1 to 31',
  );
  check(isTimeZone(quota.timeZone), `${field}.time_zone`, 'must be an IANA time zone, such as Europe/Berlin');
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name || 'UTC' });
    return true;
  } catch {
    return false;
  }
}

function checkUint32(field: string, value: number, min: number): void {
  check(Number.isInteger(value) && value >= min && value <= MAX_UINT32, field, `must be ${min} to ${MAX_UINT32}`);
}

function checkUnique(field: string, what: string, values: readonly string[]): void {
  check(new Set(values).size === values.length, field, `must not have the same ${what} twice`);
}

function refuse(field: string, [fault]: readonly Fault[]): void {
  if (fault === undefined) return;
  const path = fault.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  throw new InvalidArgument(`${field}${path}`, fault.message + (fault.hint === undefined ? '' : `: ${fault.hint}`));
}

function check(holds: boolean, field: string, message: string): void {
  if (!holds) throw new InvalidArgument(field, message);
}
