import {
  Plan_Priority,
  Plan_WhenStoreSilent,
  Plan as PlanMessage,
  Quota_Period,
} from '../../generated/tollgate/admin/v1/plan.ts';
import {
  type PlanOverrides as OverridesMessage,
  Tenant_State,
  Tenant as TenantMessage,
} from '../../generated/tollgate/admin/v1/tenant.ts';
import type { Document, DocumentKind } from '../store/store.ts';
import { toAllowList } from './allow-list.ts';
import {
  type Plan,
  type PlanOverrides,
  Priority,
  type Quota,
  type RateLimit,
  type Tenant,
  type WhenStoreSilent,
} from './snapshot.ts';
import { toCertifiedName, toTokenIssuer } from './trusted-names.ts';
import { UnreadableDocument } from './unreadable-document.ts';

/** @throws UnreadableDocument */
export function tenantFromDocument({ id, body }: Pick<Document, 'id' | 'body'>): Tenant {
  const message = decode('tenant', id, () => TenantMessage.decode(body));
  return {
    id,
    displayName: message.displayName,
    plan: message.plan,
    suspended: message.state === Tenant_State.STATE_SUSPENDED,
    issuers: some(message.issuers.map((issuer) => toTokenIssuer(id, issuer))),
    certificates: some(message.clientCertificates.map((certificate) => toCertifiedName(id, certificate))),
    allowed: toAllowList(message.allowed),
    overrides: message.overrides && toOverrides(message.overrides),
  };
}

/** @throws UnreadableDocument */
export function planFromDocument({ id, body }: Pick<Document, 'id' | 'body'>): Plan {
  const message = decode('plan', id, () => PlanMessage.decode(body));
  return {
    id,
    limits: message.limits.map(toRateLimit),
    quotas: message.quotas.map(toQuota),
    concurrency: message.concurrency,
    priority: toPriority(message.priority),
    whenStoreSilent: toWhenStoreSilent(message.whenStoreSilent),
    allowed: toAllowList(message.allowed),
  };
}

export function toOverrides(message: OverridesMessage): PlanOverrides {
  return {
    limits: message.limits.map(toRateLimit),
    quotas: message.quotas.map(toQuota),
    concurrency: message.concurrency,
    priority: message.priority === Plan_Priority.PRIORITY_UNSPECIFIED ? undefined : toPriority(message.priority),
  };
}

export function toRateLimit({ name, rate, burst }: RateLimit): RateLimit {
  return { name, rate, burst };
}

/** What is not said is normal, and so is what only a later version knows. */
export function toPriority(priority: Plan_Priority): Priority {
  if (priority === Plan_Priority.PRIORITY_LOW) return Priority.LOW;
  return priority === Plan_Priority.PRIORITY_HIGH ? Priority.HIGH : Priority.NORMAL;
}

/** What is not said is undefined: local share. So is what only a later version knows. */
export function toWhenStoreSilent(policy: Plan_WhenStoreSilent | undefined): WhenStoreSilent | undefined {
  if (policy === Plan_WhenStoreSilent.WHEN_STORE_SILENT_LOCAL_SHARE) return 'local_share';
  if (policy === Plan_WhenStoreSilent.WHEN_STORE_SILENT_OPEN) return 'open';
  return policy === Plan_WhenStoreSilent.WHEN_STORE_SILENT_CLOSED ? 'closed' : undefined;
}

export function toQuota(quota: PlanMessage['quotas'][number]): Quota {
  const period = quota.period === Quota_Period.PERIOD_MONTH ? 'month' : 'day';
  return {
    metric: quota.metric,
    limit: quota.limit,
    period,
    timeZone: quota.timeZone || 'UTC',
    // 0 stands for "not set": midnight is hour 0, but the first of a month is day 1.
    anchor: period === 'month' && quota.anchor === 0 ? 1 : quota.anchor,
  };
}

function some<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function decode<T>(kind: DocumentKind, id: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UnreadableDocument(kind, id, error);
  }
}
