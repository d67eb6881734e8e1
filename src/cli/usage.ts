import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { Quota_Period as Period } from '../../generated/tollgate/admin/v1/plan.ts';
import {
  AdjustQuotaRequest,
  QuotaUsage,
  UsageServiceService as service,
  Usage,
} from '../../generated/tollgate/admin/v1/usage.ts';
import { fromDuration } from '../metrics/series-report.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { addChangeOptions, type ChangeOptions, withChange } from './change.ts';
import { formatDuration } from './format-rates.ts';
import type { Io } from './io.ts';
import { formatTime, printJson, printOne, type View } from './print.ts';
import { formatFields, formatTable } from './table.ts';
import { jsonOf } from './to-json.ts';

const PERIODS = { day: Period.PERIOD_DAY, month: Period.PERIOD_MONTH } as const;

const toJson = jsonOf('tollgate.admin.v1.Usage', Usage);
const QUOTA_VIEW: View<QuotaUsage> = {
  toJson: jsonOf('tollgate.admin.v1.QuotaUsage', QuotaUsage),
  fields: (quota) => [
    ['quota', `${quota.metric}/${quota.period === Period.PERIOD_MONTH ? 'month' : 'day'}`],
    ['limit', String(quota.limit)],
    ['adjusted', quota.adjusted > 0 ? `+${quota.adjusted}` : String(quota.adjusted)],
    ['used', String(quota.used)],
    ['leased', String(quota.leased)],
    ['remaining', String(quota.remaining)],
    ['begins anew', formatTime(quota.resetTime)],
  ],
};

interface AdjustOptions extends ChangeOptions {
  readonly units: number;
  readonly metric?: string;
  readonly period?: keyof typeof PERIODS;
}

export function addUsageCommands(program: Command, io: Io): void {
  const usage = program.command('usage').description('what tenants use: get (what "tollgate usage ID" does), adjust');
  addGet(usage, io);
  addAdjust(usage, io);
}

function addGet(usage: Command, io: Io): void {
  addAdminOptions(
    usage
      .command('get [tenant]', { isDefault: true })
      .description("a tenant's rate limits, quotas and concurrency as they stand; spends nothing")
      .option('--fleet', 'ask the other gateways, too, how many of its calls run there')
      .addHelpText('after', "\nThe tenant may be left out with a key of the tenant's own."),
  ).action((tenantId = '', options: AdminOptions & { fleet?: boolean }) =>
    withAdminClient(options, io, async (client) => {
      const found = await client.call(service.getUsage, { tenantId, fleet: options.fleet });
      if (options.output === 'json') printJson(io, toJson(found));
      else io.stdout.write(format(found));
    }),
  );
}

function addAdjust(usage: Command, io: Io): void {
  const adjust = usage
    .command('adjust <tenant>')
    .description('add units to a quota for the period that runs, or take some away; --reason is needed');
  addChangeOptions(adjust)
    .requiredOption('--units <count>', 'units to add; below 0 to take away', parseUnits)
    .option('--metric <name>', 'of which quota; units when not given')
    .addOption(
      new Option('--period <period>', 'where the plan has several quotas of the metric').choices(Object.keys(PERIODS)),
    )
    .action((tenantId: string, options: AdjustOptions) => {
      // Said here, before anything is asked: the gateway would refuse it too.
      if (!options.reason) adjust.error('error: say why with --reason: a correction goes into the audit log with it');
      return withChange(options, io, async (change) => {
        const period = options.period === undefined ? Period.PERIOD_UNSPECIFIED : PERIODS[options.period];
        const { units, metric = '' } = options;
        const request = AdjustQuotaRequest.fromPartial({ tenantId, units, metric, period });
        printOne(io, options.output, QUOTA_VIEW, await change(service.adjustQuota, request));
      });
    });
}

function parseUnits(text: string): number {
  const units = /^[+-]?\d+$/.test(text) ? Number(text) : 0;
  if (units !== 0 && Number.isSafeInteger(units)) return units;
  throw new InvalidArgumentError('write a whole number, such as 5000, or -200 to take units away.');
}

function format({ tenantId, plan, limits, quotas, concurrency }: Usage): string {
  const { limit = 0, running = 0, fleetRunning, silentGateways = 0 } = concurrency ?? {};
  const silent = silentGateways === 0 ? '' : `, but for ${silentGateways} gateways that did not answer`;
  const head = formatFields([
    ['tenant', tenantId],
    ['plan', plan],
    ['running', `${running} on this gateway, ${limit === 0 ? 'without a limit' : `of ${limit}`}`],
    ...(fleetRunning === undefined ? [] : [['in the fleet', `${fleetRunning}${silent}`] as const]),
  ]);
  return [head, formatLimits(limits), formatQuotas(quotas)].filter((part) => part !== '').join('\n');
}

function formatLimits(limits: Usage['limits']): string {
  if (limits.length === 0) return '';
  const rows = limits.map(({ name, rate, burst, available, retryAfter }) => [
    name,
    `${rate}/s`,
    String(burst),
    String(available),
    retryAfter === undefined ? '' : formatDuration(fromDuration(retryAfter)),
  ]);
  return formatTable(['limit', 'rate', 'burst', 'available', 'next in'], rows);
}

function formatQuotas(quotas: Usage['quotas']): string {
  const fields = quotas.map(QUOTA_VIEW.fields);
  const [first] = fields;
  if (first === undefined) return '';
  return formatTable(
    first.map(([name]) => name),
    fields.map((row) => row.map(([, value]) => value)),
  );
}
