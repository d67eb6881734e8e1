import type { JsonObject } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { isMap, isPair, isSeq, visit, Document as YamlDocument } from 'yaml';
import type { ApiKey } from '../../../generated/tollgate/admin/v1/api_key.ts';
import { ApiKey_State } from '../../../generated/tollgate/admin/v1/api_key.ts';
import type { Plan } from '../../../generated/tollgate/admin/v1/plan.ts';
import { type Tenant, Tenant_State } from '../../../generated/tollgate/admin/v1/tenant.ts';
import { Manifest } from '../../../generated/tollgate/config/v1/manifest.ts';
import { ADMIN_TENANT } from '../../tenants/reserved.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from '../admin-client.ts';
import type { Io } from '../io.ts';
import { printJson } from '../print.ts';
import { readOwnRegistry } from '../to-json.ts';
import { isObject, toPlain } from './fields.ts';
import { readState, type State } from './state.ts';

const HEAD =
  ' Plans, tenants and what there is to know of their keys, without any secret. To bring a gateway to it:\n' +
  '   tollgate apply -f FILE --dry-run';

export function addExportCommand(program: Command, io: Io): void {
  const command = program
    .command('export')
    .description('write all plans, tenants and keys (without secrets) as YAML, as "tollgate apply" takes it');
  addAdminOptions(command)
    .addHelpText(
      'after',
      "\nThe gateway's own tenant, whose keys administer it, is left out. With --output json it is the same as JSON.\n" +
        '\nExample:\n' +
        '  tollgate export > tenants.yaml',
    )
    .action((options: AdminOptions) =>
      withAdminClient(options, io, async (client) => {
        const manifest = toManifest(await readState(client, 'all'));
        const registry = readOwnRegistry();
        const desc = registry.getMessage('tollgate.config.v1.Manifest');
        if (desc === undefined) throw new Error('the tollgate package is damaged: its descriptors lack the manifest');
        const plain = withEmptySections(toPlain(registry, desc, Manifest.encode(manifest).finish()));
        if (options.output === 'json') printJson(io, plain);
        else io.stdout.write(toYaml(plain));
      }),
    );
}

/** Sections that are empty are written too: they say that there is nothing. */
function withEmptySections({ plans = [], tenants = [] }: JsonObject): JsonObject {
  const each = Array.isArray(tenants) ? tenants : [];
  return { plans, tenants: each.map((tenant) => (isObject(tenant) ? { ...tenant, keys: tenant.keys ?? [] } : tenant)) };
}

/** States that are as usual are not said: a file that is applied later shall not wake who was suspended meanwhile. */
export function toManifest({ plans, tenants, keys }: State): Manifest {
  return Manifest.fromPartial({
    plans: [...plans.values()].map(({ id, etag: _e, createTime: _c, updateTime: _u, ...rest }: Plan) => ({
      ...rest,
      name: id,
    })),
    tenants: [...tenants.values()]
      .filter(({ id }) => id !== ADMIN_TENANT)
      .map(({ etag: _e, createTime: _c, updateTime: _u, state, ...rest }: Tenant) => ({
        ...rest,
        state: state === Tenant_State.STATE_ACTIVE ? 0 : state,
        keys: (keys.get(rest.id) ?? []).map(toEntry),
      })),
  });
}

function toEntry({ tenantId: _t, etag: _e, createTime: _c, updateTime: _u, lastUseTime: _l, state, ...rest }: ApiKey) {
  return { ...rest, state: state === ApiKey_State.STATE_ACTIVE ? 0 : state };
}

/** Short lists of what is many (limits, quotas, keys) take a line an item. */
const ON_ONE_LINE: ReadonlySet<unknown> = new Set(['limits', 'quotas', 'keys', 'client_certificates']);

function toYaml(plain: object): string {
  const document = new YamlDocument(plain);
  document.commentBefore = HEAD;
  visit(document, {
    Pair(_, { key, value }) {
      if (!isSeq(value)) return;
      const name = typeof key === 'object' && key !== null && 'value' in key ? key.value : key;
      if (!ON_ONE_LINE.has(name)) return;
      for (const item of value.items) if (isMap(item) && !isPair(item)) item.flow = true;
    },
  });
  return document.toString({ lineWidth: 0 });
}
