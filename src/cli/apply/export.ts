import type { Command } from 'commander';
import { isMap, isPair, isSeq, visit, Document as YamlDocument } from 'yaml';
import { inlineDescriptors } from '../../config/load-manifest.ts';
import { ADMIN_TENANT } from '../../tenants/reserved.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from '../admin-client.ts';
import type { Io } from '../io.ts';
import { printJson } from '../print.ts';
import { createFieldReaders, type FieldReaders, type Fields } from './fields.ts';
import { readState, type State } from './state.ts';

const HEAD =
  ' Plans, tenants and what there is to know of their keys, without any secret; backends and contracts that were registered. To bring a gateway to it:\n' +
  '   tollgate apply -f FILE --dry-run';

export function addExportCommand(program: Command, io: Io): void {
  const command = program
    .command('export')
    .description(
      'write all plans, tenants, keys (without secrets), registered backends and contracts as YAML, as "tollgate apply" takes it',
    );
  addAdminOptions(command)
    .addHelpText(
      'after',
      "\nThe gateway's own tenant, whose keys administer it, is left out. With --output json it is the same as JSON.\n" +
        '\nExample:\n' +
        '  tollgate export > tenants.yaml',
    )
    .action((options: AdminOptions) =>
      withAdminClient(options, io, async (client) => {
        const plain = toManifest(await readState(client, 'all'), createFieldReaders());
        if (options.output === 'json') printJson(io, plain);
        else io.stdout.write(toYaml(plain));
      }),
    );
}

/**
 * What a manifest has of a gateway. Sections that are empty are written too: they say that there is nothing. States that are as
 * usual are not: a file that is applied later shall not wake who was suspended meanwhile.
 */
function toManifest({ plans, tenants, keys, backends, contracts }: State, readers: FieldReaders): object {
  return {
    backends: [...backends.values()].map((backend) => ({ name: backend.id, ...readers.backend(backend) })),
    contracts: [...contracts.values()].map((contract) => ({
      name: contract.id,
      ...readers.contract(contract),
      descriptor_set: inlineDescriptors(contract.descriptorSet),
    })),
    plans: [...plans.values()].map((plan) => ({ name: plan.id, ...readers.plan(plan) })),
    tenants: [...tenants.values()]
      .filter(({ id }) => id !== ADMIN_TENANT)
      .map((tenant) => ({
        id: tenant.id,
        ...unlessUsual(readers.tenant(tenant)),
        keys: (keys.get(tenant.id) ?? []).map((key) => ({ id: key.id, ...unlessUsual(readers.key(key)) })),
      })),
  };
}

function unlessUsual({ state, ...rest }: Fields): Fields {
  return state === undefined || state === 'active' ? rest : { ...rest, state };
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
