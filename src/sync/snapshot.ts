import type { MethodEntry } from '../contracts/method-entry.ts';
import type { AllowList } from './allow-list.ts';
import type { IdentityIndex } from './identity-index.ts';
import type { RegisteredBackend, RegisteredContract } from './registered.ts';
import type { CertifiedName, TokenIssuer } from './trusted-names.ts';

/** A rate limit: at most `burst + rate x t` calls in any time t (GCRA). */
export interface RateLimit {
  readonly name: string;
  /** Calls per second. */
  readonly rate: number;
  readonly burst: number;
}

/** A budget of units per period. */
export interface Quota {
  readonly metric: string;
  readonly limit: number;
  readonly period: 'day' | 'month';
  /** IANA name. */
  readonly timeZone: string;
  /** day: hour at which it starts (0 to 23). month: day at which it starts (1 to 31; the last day in shorter months). */
  readonly anchor: number;
}

/** Whose calls are refused first when the gateway is overloaded: numbers that can be compared. */
export const Priority = { LOW: 0, NORMAL: 1, HIGH: 2 } as const;
export type Priority = (typeof Priority)[keyof typeof Priority];

/** What holds while the fleet's store does not answer: the limit divided by the gateways, all calls, or none. */
export type WhenStoreSilent = 'local_share' | 'open' | 'closed';

export interface Plan {
  readonly id: string;
  readonly limits: readonly RateLimit[];
  readonly quotas: readonly Quota[];
  /** Calls at once of one tenant; 0 is no limit. */
  readonly concurrency: number;
  readonly priority: Priority;
  /** Undefined is `local_share`. */
  readonly whenStoreSilent?: WhenStoreSilent | undefined;
  /** Undefined: everything. */
  readonly allowed?: AllowList | undefined;
}

/** Where a tenant differs from its plan. */
export interface PlanOverrides {
  /** Instead of the plan's of the same names. */
  readonly limits: readonly RateLimit[];
  /** Instead of all of the plan's of the same metrics. */
  readonly quotas: readonly Quota[];
  readonly concurrency: number | undefined;
  readonly priority: Priority | undefined;
}

export interface Tenant {
  readonly id: string;
  readonly displayName: string;
  /** Id of the plan. */
  readonly plan: string;
  readonly suspended: boolean;
  /** Absent when there are none. */
  readonly issuers?: readonly TokenIssuer[] | undefined;
  readonly certificates?: readonly CertifiedName[] | undefined;
  /** Of what the plan allows. Undefined: all of that. */
  readonly allowed?: AllowList | undefined;
  /** Undefined: none. `effectivePlan` says what then holds. */
  readonly overrides?: PlanOverrides | undefined;
}

/** Tenants by id. `with` and `without` cost what they change (copy on write of one shard), not the size of the whole. */
export interface TenantTable {
  readonly size: number;
  get(id: string): Tenant | undefined;
  with(tenant: Tenant): TenantTable;
  without(id: string): TenantTable;
}

/** What the data plane reads of the configuration: immutable, indexed, swapped whole by one assignment. */
export interface Snapshot {
  /** The store's version: rises with every change, never goes back. Two snapshots of one version have the same plans and tenants. */
  readonly version: number;
  /** By `:path`: of the gateway itself, of its configuration file, and of the contracts below. */
  readonly methods: ReadonlyMap<string, MethodEntry>;
  /** What was registered over the admin API, by id; what the configuration file defines is not here. */
  readonly backends: ReadonlyMap<string, RegisteredBackend>;
  readonly contracts: ReadonlyMap<string, RegisteredContract>;
  readonly plans: ReadonlyMap<string, Plan>;
  readonly tenants: TenantTable;
  /** Whom tokens and client certificates speak for. */
  readonly identities: IdentityIndex;
}
