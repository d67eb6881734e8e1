import { type Command, Option } from 'commander';
import type { Quota, RateLimit } from '../../generated/tollgate/admin/v1/plan.ts';
import { PlanOverrides } from '../../generated/tollgate/admin/v1/tenant.ts';
import { changesLimits, changesQuotas, mergeLimits, mergeQuotas } from './merge-rates.ts';
import { formatLimit, formatQuota, parseCount, parseLimit, parseList, parseQuota } from './parse-values.ts';
import { PRIORITIES, PRIORITY_NAMES } from './priorities.ts';

/** What a tenant may call, and where it differs from its plan, as options. */
export interface OverrideOptions {
  readonly allow?: string[];
  readonly allowAll?: boolean;
  readonly limit?: RateLimit[];
  readonly removeLimit?: string[];
  readonly quota?: Quota[];
  readonly removeQuota?: string[];
  readonly concurrency?: number;
  readonly priority?: keyof typeof PRIORITIES;
  /** False: all of them are taken away. */
  readonly overrides: boolean;
}

export function addAllowOption(command: Command): Command {
  return command.option(
    '--allow <names>',
    'what may be called: contracts, pkg.Service or pkg.Service/Method, divided by commas; may be repeated',
    parseList,
  );
}

export function addOverrideOptions(command: Command): Command {
  return addAllowOption(command)
    .option('--limit <name=rate:burst>', "instead of the plan's limit of this name; may be repeated", parseLimit)
    .option('--quota <metric=limit/period>', "instead of the plan's of this metric; may be repeated", parseQuota)
    .option('--concurrency <count>', "instead of the plan's; 0 is no limit", parseCount)
    .addOption(new Option('--priority <priority>', "instead of the plan's").choices(Object.keys(PRIORITIES)));
}

/** Whether the options change the overrides. */
export function namesOverrides(options: OverrideOptions): boolean {
  const { concurrency, priority, overrides } = options;
  const given = changesLimits(options) || changesQuotas(options) || (concurrency ?? priority) !== undefined;
  return given || !overrides;
}

/** What is not given stays; after `--no-overrides` there is nothing to stay. */
export function toOverrides(options: OverrideOptions, current: PlanOverrides | undefined): PlanOverrides | undefined {
  const { concurrency, priority, overrides } = options;
  if (!namesOverrides({ ...options, overrides: true })) return overrides ? current : undefined;
  const before = PlanOverrides.fromPartial((overrides && current) || {});
  return {
    limits: mergeLimits(before.limits, options),
    quotas: mergeQuotas(before.quotas, options),
    concurrency: concurrency ?? before.concurrency,
    priority: priority === undefined ? before.priority : PRIORITIES[priority],
  };
}

export function formatOverrides(overrides: PlanOverrides | undefined): string {
  if (overrides === undefined) return '';
  const { limits, quotas, concurrency, priority } = overrides;
  const parts = [...limits.map(formatLimit), ...quotas.map(formatQuota)];
  if (concurrency !== undefined) parts.push(`concurrency=${concurrency}`);
  if (priority !== 0) parts.push(`priority=${PRIORITY_NAMES[priority]}`);
  return parts.join(' ');
}
