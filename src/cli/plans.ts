import { type Command, Option } from 'commander';
import {
  Plan,
  Plan_WhenStoreSilent,
  type Quota,
  type RateLimit,
  PlanServiceService as service,
} from '../../generated/tollgate/admin/v1/plan.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { addChangeOptions, type ChangeOptions, printDone, withChange } from './change.ts';
import { printEvidence } from './evidence.ts';
import type { Io } from './io.ts';
import { listAll } from './list-all.ts';
import { addRemoveOptions, changesLimits, changesQuotas, mergeLimits, mergeQuotas } from './merge-rates.ts';
import { addAllowOption } from './overrides.ts';
import { formatLimit, formatQuota, parseCount, parseLimit, parseQuota } from './parse-values.ts';
import { formatTime, printList, printOne, type View } from './print.ts';
import { PRIORITIES, PRIORITY_NAMES } from './priorities.ts';
import { requireChange } from './require-change.ts';
import { jsonOf } from './to-json.ts';

const SILENT_POLICIES = {
  local_share: Plan_WhenStoreSilent.WHEN_STORE_SILENT_LOCAL_SHARE,
  open: Plan_WhenStoreSilent.WHEN_STORE_SILENT_OPEN,
  closed: Plan_WhenStoreSilent.WHEN_STORE_SILENT_CLOSED,
} as const;
/** By number; what is not said is local_share. */
const SILENT_NAMES = ['local_share', 'local_share', 'open', 'closed'] as const;

const VIEW: View<Plan> = {
  toJson: jsonOf('tollgate.admin.v1.Plan', Plan),
  fields: (plan) => [
    ['id', plan.id],
    ['limits', plan.limits.map(formatLimit).join(' ')],
    ['quotas', plan.quotas.map(formatQuota).join(' ')],
    ['concurrency', plan.concurrency === 0 ? 'no limit' : String(plan.concurrency)],
    ['priority', PRIORITY_NAMES[plan.priority]],
    ['silence', SILENT_NAMES[plan.whenStoreSilent ?? 0]],
    ['allowed', plan.allowed.join(' ') || 'everything'],
    ['created', formatTime(plan.createTime)],
    ['etag', plan.etag],
  ],
};

interface PlanFields {
  readonly removeLimit?: string[];
  readonly removeQuota?: string[];
  readonly limit?: RateLimit[];
  readonly quota?: Quota[];
  readonly concurrency?: number;
  readonly priority?: keyof typeof PRIORITIES;
  readonly whenStoreSilent?: keyof typeof SILENT_POLICIES;
  readonly allow?: string[];
  readonly allowAll?: boolean;
}

export function addPlanCommands(program: Command, io: Io): void {
  const plans = program.command('plans').description('what tenants may use: list, get, create, update, delete');
  addList(plans, io);
  addGet(plans, io);
  addCreate(plans, io);
  addUpdate(plans, io);
  addDelete(plans, io);
}

function addList(plans: Command, io: Io): void {
  addAdminOptions(plans.command('list').description('list the plans'))
    .option('--limit <count>', 'at most this many', parseCount, 1000)
    .action((options: AdminOptions & { limit: number }) =>
      withAdminClient(options, io, async (client) => {
        const list = await listAll(options.limit, async (pageSize, pageToken) => {
          const page = await client.call(service.listPlans, { pageSize, pageToken });
          return { items: page.plans, nextPageToken: page.nextPageToken };
        });
        printList(io, options.output, VIEW, list, 'No plans yet: tollgate plans create ID --limit calls=50:100');
      }),
    );
}

function addGet(plans: Command, io: Io): void {
  addAdminOptions(plans.command('get <id>').description('show one plan')).action((id: string, options: AdminOptions) =>
    withAdminClient(options, io, async (client) =>
      printOne(io, options.output, VIEW, await client.call(service.getPlan, { id })),
    ),
  );
}

function addCreate(plans: Command, io: Io): void {
  addFields(addChangeOptions(plans.command('create <id>').description('create a plan'))).action(
    (planId: string, options: ChangeOptions & PlanFields) =>
      withChange(options, io, async (change) => {
        const request = { planId, plan: Plan.fromPartial(toPlan(options)) };
        printOne(io, options.output, VIEW, await change(service.createPlan, request));
      }),
  );
}

function addUpdate(plans: Command, io: Io): void {
  const update = plans
    .command('update <id>')
    .description('change a plan, for all of its tenants; what is not given stays');
  addRemoveOptions(addFields(addChangeOptions(update)))
    .option('--allow-all', 'everything may be called')
    .option('--etag <etag>', 'change it only if it is still this version')
    .action((id: string, options: ChangeOptions & PlanFields & { etag?: string }) => {
      const updateMask = [
        ...(changesLimits(options) ? ['limits'] : []),
        ...(changesQuotas(options) ? ['quotas'] : []),
        ...(options.concurrency === undefined ? [] : ['concurrency']),
        ...(options.priority === undefined ? [] : ['priority']),
        ...(options.whenStoreSilent === undefined ? [] : ['when_store_silent']),
        ...(options.allow === undefined && !options.allowAll ? [] : ['allowed']),
      ];
      requireChange(update, updateMask);
      return withChange(options, io, async (change, client) => {
        const plan = Plan.fromPartial({ id, etag: options.etag ?? '', ...toPlan(options) });
        if (changesLimits(options) || changesQuotas(options)) {
          const current = await client.call(service.getPlan, { id });
          if (changesLimits(options)) plan.limits = mergeLimits(current.limits, options);
          if (changesQuotas(options)) plan.quotas = mergeQuotas(current.quotas, options);
        }
        const updated = await change(service.updatePlan, { plan, updateMask });
        printOne(io, options.output, VIEW, updated);
        printEvidence(io, options.output, updated.evidence);
      });
    });
}

function addDelete(plans: Command, io: Io): void {
  addChangeOptions(plans.command('delete <id>').description('delete a plan that no tenant has'))
    .option('--etag <etag>', 'delete it only if it is still this version')
    .action((id: string, options: ChangeOptions & { etag?: string }) =>
      withChange(options, io, async (change) => {
        await change(service.deletePlan, { id, etag: options.etag ?? '' });
        printDone(io, options, `Deleted plan ${id}.`);
      }),
    );
}

function addFields(command: Command): Command {
  return addAllowOption(command)
    .option('--limit <name=rate:burst>', 'calls a second, and at once: calls=50:100; may be repeated', parseLimit)
    .option(
      '--quota <metric=limit/period>',
      'units=10000/day, units=9000/month@15,Europe/Berlin; may be repeated',
      parseQuota,
    )
    .option('--concurrency <count>', 'calls of one tenant that may run at once; 0 is no limit', parseCount)
    .addOption(
      new Option('--priority <priority>', 'whose calls an overloaded gateway refuses first').choices(
        Object.keys(PRIORITIES),
      ),
    )
    .addOption(
      new Option('--when-store-silent <policy>', "what holds while the fleet's store does not answer").choices(
        Object.keys(SILENT_POLICIES),
      ),
    );
}

function toPlan({ limit, quota, concurrency, priority, whenStoreSilent, allow }: PlanFields): Partial<Plan> {
  return {
    ...(limit === undefined ? {} : { limits: limit }),
    ...(quota === undefined ? {} : { quotas: quota }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(priority === undefined ? {} : { priority: PRIORITIES[priority] }),
    ...(allow === undefined ? {} : { allowed: allow }),
    ...(whenStoreSilent === undefined ? {} : { whenStoreSilent: SILENT_POLICIES[whenStoreSilent] }),
  };
}
