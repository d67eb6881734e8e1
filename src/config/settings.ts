import { join, resolve } from 'node:path';
import type { ClientCertificate, Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import {
  type Plan_Priority,
  type Plan_WhenStoreSilent,
  Quota_Period,
  type Quota as QuotaMessage,
  type RateLimit,
} from '../../generated/tollgate/admin/v1/plan.ts';
import type { PlanOverrides } from '../../generated/tollgate/admin/v1/tenant.ts';
import type {
  Audit,
  Backend,
  Listener,
  Overload,
  ServerTls,
  Store,
  Telemetry_Metrics,
  Tenant as TenantMessage,
} from '../../generated/tollgate/config/v1/config.ts';
import { Listener_Errors, ServerTls_ClientAuth } from '../../generated/tollgate/config/v1/config.ts';
import { durationToMs } from '../contracts/policy.ts';
import { DEFAULT_LIMITS, leastMemory, type MetricsLimits, MIB } from '../metrics/budget.ts';
import { DEFAULT_RETENTION, type Retention } from '../store/journal.ts';
import type { RedisSettings } from '../store/redis/connect.ts';
import { toAllowList } from '../sync/allow-list.ts';
import { toPriority, toWhenStoreSilent } from '../sync/from-document.ts';
import type { Plan, Quota } from '../sync/snapshot.ts';
import type { AccessLogSettings } from '../telemetry/access-log.ts';
import { type LogLevel, toLogLevel } from '../telemetry/log-level.ts';
import type { TelemetrySettings } from '../telemetry/telemetry-settings.ts';
import { hashKey } from '../tenants/key-text.ts';
import { parseAddress } from './address.ts';
import type { Environment } from './check-tenants.ts';
import type { LoadedConfig } from './load.ts';
import { type AuthenticationSettings, toAuthentication, toIdentities } from './to-authentication.ts';
import { type BackendOptions, toBackendOptions } from './to-backend.ts';
import { type LimitSettings, toLimits } from './to-limits.ts';
import { toRedis } from './to-redis.ts';
import { toAccessLog, toTelemetry } from './to-telemetry.ts';

/** The configuration as the parts use it: every default filled in, paths absolute, durations in milliseconds. */
export interface Settings {
  readonly listeners: readonly ListenerSettings[];
  /** The SQLite file: the store itself, or beside Redis this gateway's copy of the configuration. */
  readonly storePath: string;
  /** Undefined: the embedded store. */
  readonly redis: RedisSettings | undefined;
  readonly backends: readonly BackendSettings[];
  readonly plans: readonly Plan[];
  readonly tenants: readonly TenantSettings[];
  readonly logLevel: LogLevel;
  readonly telemetry: TelemetrySettings;
  readonly accessLog: AccessLogSettings | undefined;
  readonly authentication: AuthenticationSettings;
  /** Undefined: nothing is counted. */
  readonly metrics: MetricsLimits | undefined;
  readonly prometheus: PrometheusSettings;
  /** Undefined: calls are never refused for overload. */
  readonly overload: OverloadSettings | undefined;
  /** Of the audit log. */
  readonly retention: Retention;
  /** Backends registered over the admin services may have endpoints that are Unix sockets. */
  readonly unixSockets: boolean;
}

export interface PrometheusSettings {
  readonly disabled: boolean;
  /** Undefined: where the listener is not on a loopback address. */
  readonly requireKey: boolean | undefined;
}

export interface OverloadSettings {
  /** How late the event loop may be. */
  readonly maxDelayMs: number;
  /** Resident octets; undefined is a share of what there is. */
  readonly maxMemory: number | undefined;
}

export interface ListenerSettings {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** As the file names them; health and reflection are shown anyway. */
  readonly contracts: readonly string[];
  readonly tls: ServerTlsSettings | undefined;
  /** Undefined: connections have no age. */
  readonly maxConnectionAgeMs: number | undefined;
  readonly limits: LimitSettings;
  readonly trustRequestId: boolean;
  /** Every refusal is UNAUTHENTICATED. */
  readonly uniformErrors: boolean;
}

/** Paths of PEM files. */
export interface ServerTlsSettings {
  readonly cert: string;
  readonly key: string;
  /** For the names that a client may ask for. */
  readonly certificates: readonly {
    readonly cert: string;
    readonly key: string;
    /** Empty: those of the certificate. */
    readonly serverNames: readonly string[];
  }[];
  readonly clientCa: string | undefined;
  readonly clientAuth: 'required' | 'optional' | 'none';
}

export interface BackendSettings extends BackendOptions {
  readonly name: string;
  /** Paths of PEM files. */
  readonly tls: ClientTlsSettings | undefined;
}

export interface ClientTlsSettings {
  readonly ca: string | undefined;
  readonly serverName: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface TenantSettings {
  readonly id: string;
  readonly displayName: string;
  readonly plan: string;
  readonly allowed: readonly string[];
  readonly overrides: PlanOverrides | undefined;
  readonly keys: readonly {
    readonly name: string;
    readonly sha256: string;
    readonly scopes: readonly string[];
    readonly limits: readonly RateLimit[];
  }[];
  readonly issuers: readonly Issuer[];
  readonly certificates: readonly ClientCertificate[];
}

const DEFAULT_DATA = './data';
const DEFAULT_STORE = './data/tollgate.db';
const DEFAULT_MAX_DELAY_MS = 200;

/** Fills in defaults. `env` must be the one that the configuration was checked with. */
export function toSettings({ config, baseDir }: Pick<LoadedConfig, 'config' | 'baseDir'>, env: Environment): Settings {
  const file = (path: string) => resolve(baseDir, path);
  return {
    listeners: config.listeners.map((listener) => toListener(listener, file)),
    ...toStore(config.store, file, env),
    backends: config.backends.map((backend) => toBackend(backend, file)),
    plans: config.plans.map((plan) => toPlan(plan.name, plan)),
    tenants: config.tenants.map((tenant) => toTenant(tenant, file, env)),
    logLevel: toLogLevel(config.telemetry?.logLevel),
    authentication: toAuthentication(config.authentication, file),
    telemetry: toTelemetry(config.telemetry, env),
    accessLog: toAccessLog(config.telemetry?.accessLog),
    metrics: toMetrics(config.telemetry?.metrics),
    prometheus: {
      disabled: config.telemetry?.metrics?.prometheus?.disabled ?? false,
      requireKey: config.telemetry?.metrics?.prometheus?.requireKey,
    },
    overload: toOverload(config.overload),
    retention: toRetention(config.audit),
    unixSockets: config.registration?.unixSockets ?? false,
  };
}

function toStore(
  store: Store | undefined,
  file: (path: string) => string,
  env: Environment,
): Pick<Settings, 'storePath' | 'redis'> {
  if (store?.kind?.$case !== 'redis')
    return { storePath: file(store?.kind?.embedded.path ?? DEFAULT_STORE), redis: undefined };
  const { redis } = store.kind;
  return { storePath: file(join(redis.data || DEFAULT_DATA, 'replica.db')), redis: toRedis(redis, file, env) };
}

function toListener(listener: Listener, file: (path: string) => string): ListenerSettings {
  const address = parseAddress(listener.address);
  if ('path' in address) throw new TypeError('a listener has a host and a port');
  return {
    name: listener.name,
    host: address.host,
    port: address.port,
    contracts: listener.contracts,
    tls: listener.tls && toServerTls(listener.tls, file),
    maxConnectionAgeMs: listener.maxConnectionAge && durationToMs(listener.maxConnectionAge),
    limits: toLimits(listener.limits),
    trustRequestId: listener.trustRequestId,
    uniformErrors: listener.errors === Listener_Errors.ERRORS_UNIFORM,
  };
}

function toServerTls(tls: ServerTls, file: (path: string) => string): ServerTlsSettings {
  const optional = tls.clientAuth === ServerTls_ClientAuth.CLIENT_AUTH_OPTIONAL;
  return {
    cert: file(tls.cert),
    key: file(tls.key),
    certificates: tls.certificates.map(({ cert, key, serverNames }) => ({
      cert: file(cert),
      key: file(key),
      serverNames: serverNames.map((name) => name.toLowerCase()),
    })),
    clientCa: tls.clientCa === '' ? undefined : file(tls.clientCa),
    clientAuth: tls.clientCa === '' ? 'none' : optional ? 'optional' : 'required',
  };
}

function toRetention(audit: Audit | undefined): Retention {
  return {
    changes: audit?.maxChanges ?? DEFAULT_RETENTION.changes,
    refusals: audit?.maxRefusals ?? DEFAULT_RETENTION.refusals,
    ageMs: audit?.maxAge === undefined ? DEFAULT_RETENTION.ageMs : durationToMs(audit.maxAge),
  };
}

/** What is not said follows from what is: memory for the series, or as it is by default. */
export function toMetrics(metrics: Telemetry_Metrics | undefined): MetricsLimits | undefined {
  if (metrics?.disabled === true) return undefined;
  const maxSeries = metrics === undefined || metrics.maxSeries === 0 ? DEFAULT_LIMITS.maxSeries : metrics.maxSeries;
  const memory =
    metrics === undefined || metrics.memoryMib === 0
      ? Math.max(DEFAULT_LIMITS.memory, leastMemory(maxSeries))
      : metrics.memoryMib * MIB;
  return { maxSeries, memory };
}

function toOverload(overload: Overload | undefined): OverloadSettings | undefined {
  if (overload?.disabled === true) return undefined;
  return {
    maxDelayMs: overload?.maxDelay === undefined ? DEFAULT_MAX_DELAY_MS : durationToMs(overload.maxDelay),
    maxMemory: overload === undefined || overload.maxMemoryMib === 0 ? undefined : overload.maxMemoryMib * MIB,
  };
}

function toBackend(backend: Backend, file: (path: string) => string): BackendSettings {
  const path = (text: string) => (text === '' ? undefined : file(text));
  const { name, tls } = backend;
  return {
    name,
    ...toBackendOptions(backend),
    tls: tls && {
      ca: path(tls.ca),
      serverName: tls.serverName === '' ? undefined : tls.serverName,
      cert: path(tls.cert),
      key: path(tls.key),
    },
  };
}

/** A plan for the snapshot; the configuration's and the admin API's have the same limits and quotas. */
export function toPlan(
  id: string,
  plan: {
    readonly limits: readonly RateLimit[];
    readonly quotas: readonly QuotaMessage[];
    readonly concurrency: number;
    readonly priority: Plan_Priority;
    readonly whenStoreSilent?: Plan_WhenStoreSilent | undefined;
    readonly allowed: readonly string[];
  },
): Plan {
  const limits = plan.limits.map(({ name, rate, burst }) => ({ name, rate, burst }));
  return {
    id,
    limits,
    quotas: plan.quotas.map(toQuota),
    concurrency: plan.concurrency,
    priority: toPriority(plan.priority),
    whenStoreSilent: toWhenStoreSilent(plan.whenStoreSilent),
    allowed: toAllowList(plan.allowed),
  };
}

function toQuota(quota: QuotaMessage): Quota {
  const monthly = quota.period === Quota_Period.PERIOD_MONTH;
  return {
    metric: quota.metric,
    limit: quota.limit,
    period: monthly ? 'month' : 'day',
    timeZone: quota.timeZone === '' ? 'UTC' : quota.timeZone,
    anchor: monthly && quota.anchor === 0 ? 1 : quota.anchor,
  };
}

function toTenant(tenant: TenantMessage, file: (path: string) => string, env: Environment): TenantSettings {
  const keys = tenant.keys.map(({ name, secret, scopes, limits }) => {
    const sha256 = secret?.$case === 'sha256' ? secret.sha256 : hashKey(env[secret?.fromEnv ?? ''] ?? '');
    return { name, sha256, scopes, limits };
  });
  const { id, displayName, plan, allowed, overrides } = tenant;
  return { id, displayName, plan, allowed, overrides, keys, ...toIdentities(tenant, file) };
}
