import { type Command, Option } from 'commander';
import {
  Tenant_State as State,
  TenantServiceService as service,
  Tenant,
} from '../../generated/tollgate/admin/v1/tenant.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { addChangeOptions, type ChangeOptions, printDone, withChange } from './change.ts';
import { printEvidence } from './evidence.ts';
import type { Io } from './io.ts';
import { listAll } from './list-all.ts';
import { addRemoveOptions } from './merge-rates.ts';
import { addOverrideOptions, formatOverrides, namesOverrides, type OverrideOptions, toOverrides } from './overrides.ts';
import { parseCount } from './parse-values.ts';
import { formatTime, printList, printOne, type View } from './print.ts';
import { requireChange } from './require-change.ts';
import { jsonOf } from './to-json.ts';

const STATES = { active: State.STATE_ACTIVE, suspended: State.STATE_SUSPENDED } as const;

const VIEW: View<Tenant> = {
  toJson: jsonOf('tollgate.admin.v1.Tenant', Tenant),
  fields: (tenant) => [
    ['id', tenant.id],
    ['name', tenant.displayName],
    ['plan', tenant.plan],
    ['state', tenant.state === State.STATE_SUSPENDED ? 'suspended' : 'active'],
    ['allowed', tenant.allowed.join(' ') || "the plan's"],
    ['overrides', formatOverrides(tenant.overrides)],
    ['created', formatTime(tenant.createTime)],
    ['etag', tenant.etag],
  ],
};

interface TenantFields extends OverrideOptions {
  readonly name?: string;
  readonly plan?: string;
  readonly state?: keyof typeof STATES;
}

interface UpdateOptions extends ChangeOptions, TenantFields {
  readonly etag?: string;
}

export function addTenantCommands(program: Command, io: Io): void {
  const tenants = program.command('tenants').description('who may call: list, get, create, update, delete');
  addList(tenants, io);
  addGet(tenants, io);
  addCreate(tenants, io);
  addUpdate(tenants, io);
  addDelete(tenants, io);
}

function addList(tenants: Command, io: Io): void {
  addAdminOptions(tenants.command('list').description('list the tenants'))
    .option('--limit <count>', 'at most this many', parseCount, 1000)
    .option('--plan <id>', 'only tenants of this plan')
    .addOption(new Option('--state <state>', 'only tenants in this state').choices(Object.keys(STATES)))
    .action((options: AdminOptions & { limit: number; plan?: string; state?: keyof typeof STATES }) =>
      withAdminClient(options, io, async (client) => {
        const { plan } = options;
        const state = options.state && STATES[options.state];
        const list = await listAll(options.limit, async (pageSize, pageToken) => {
          const page = await client.call(service.listTenants, { pageSize, pageToken, plan, state });
          return { items: page.tenants, nextPageToken: page.nextPageToken };
        });
        const isAny = plan === undefined && state === undefined;
        const nothing = isAny ? 'No tenants yet: tollgate tenants create ID --plan PLAN' : 'No such tenants.';
        printList(io, options.output, VIEW, list, nothing);
      }),
    );
}

function addGet(tenants: Command, io: Io): void {
  addAdminOptions(tenants.command('get <id>').description('show one tenant')).action(
    (id: string, options: AdminOptions) =>
      withAdminClient(options, io, async (client) =>
        printOne(io, options.output, VIEW, await client.call(service.getTenant, { id })),
      ),
  );
}

function addCreate(tenants: Command, io: Io): void {
  addOverrideOptions(addChangeOptions(tenants.command('create <id>').description('create a tenant')))
    .requiredOption('--plan <plan>', 'the plan that the tenant has')
    .option('--name <text>', 'its name for people')
    .addOption(stateOption())
    .action((tenantId: string, options: ChangeOptions & TenantFields) =>
      withChange(options, io, async (change) => {
        const overrides = toOverrides({ ...options, overrides: true }, undefined);
        const request = { tenantId, tenant: Tenant.fromPartial({ ...toTenant(options), overrides }) };
        printOne(io, options.output, VIEW, await change(service.createTenant, request));
      }),
    );
}

function addUpdate(tenants: Command, io: Io): void {
  const update = tenants.command('update <id>').description('change a tenant; what is not given stays');
  addRemoveOptions(addOverrideOptions(addChangeOptions(update)))
    .option('--allow-all', 'all that its plan allows')
    .option('--no-overrides', 'what differs from its plan is taken away, but for what is given here')
    .option('--plan <plan>', 'the plan that the tenant has')
    .option('--name <text>', 'its name for people')
    .addOption(stateOption())
    .option('--etag <etag>', 'change it only if it is still this version')
    .action((id: string, options: UpdateOptions) => {
      const updateMask = [
        ...(options.name === undefined ? [] : ['display_name']),
        ...(options.plan === undefined ? [] : ['plan']),
        ...(options.state === undefined ? [] : ['state']),
        ...(options.allow === undefined && !options.allowAll ? [] : ['allowed']),
        ...(namesOverrides(options) ? ['overrides'] : []),
      ];
      requireChange(update, updateMask);
      return withChange(options, io, async (change, client) => {
        const tenant = Tenant.fromPartial({ id, etag: options.etag ?? '', ...toTenant(options) });
        if (namesOverrides(options)) {
          // The same command again must be the same request: no etag but the user's own.
          const current = await client.call(service.getTenant, { id });
          tenant.overrides = toOverrides(options, current.overrides);
        }
        const updated = await change(service.updateTenant, { tenant, updateMask });
        printOne(io, options.output, VIEW, updated);
        printEvidence(io, options.output, updated.evidence);
      });
    });
}

function addDelete(tenants: Command, io: Io): void {
  addChangeOptions(tenants.command('delete <id>').description('delete a tenant and its keys'))
    .option('--etag <etag>', 'delete it only if it is still this version')
    .action((id: string, options: ChangeOptions & { etag?: string }) =>
      withChange(options, io, async (change) => {
        await change(service.deleteTenant, { id, etag: options.etag ?? '' });
        printDone(io, options, `Deleted tenant ${id} and its keys.`);
      }),
    );
}

function stateOption(): Option {
  return new Option('--state <state>', 'a suspended tenant is refused').choices(Object.keys(STATES));
}

function toTenant({ name, plan, state, allow }: TenantFields): Partial<Tenant> {
  return {
    ...(name === undefined ? {} : { displayName: name }),
    ...(plan === undefined ? {} : { plan }),
    ...(allow === undefined ? {} : { allowed: allow }),
    ...(state === undefined ? {} : { state: STATES[state] }),
  };
}
