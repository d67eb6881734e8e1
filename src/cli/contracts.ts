import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { Contract, ContractServiceService as service } from '../../generated/tollgate/admin/v1/contract.ts';
import { CompileError, compileProtos } from '../contracts/compile.ts';
import { formatComplaint } from '../contracts/complaint.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { addChangeOptions, type ChangeOptions, printDone, withChange } from './change.ts';
import { printEvidence } from './evidence.ts';
import { CliError, type Io } from './io.ts';
import { listAll } from './list-all.ts';
import { parseCount, parseList } from './parse-values.ts';
import { formatTime, printList, printOne, type View } from './print.ts';
import { requireChange } from './require-change.ts';
import { jsonOf } from './to-json.ts';

const LIST_VIEW: View<Contract> = {
  toJson: jsonOf('tollgate.admin.v1.Contract', Contract),
  fields: (contract) => [
    ['id', contract.id],
    ['backend', contract.backend],
    ['listeners', contract.listeners.join(' ') || 'none'],
    ['methods', String(contract.methods.length)],
    ['defined', contract.fromFile ? 'in the file' : 'registered'],
    ['created', formatTime(contract.createTime)],
    ['etag', contract.etag],
  ],
};
const VIEW: View<Contract> = {
  ...LIST_VIEW,
  fields: (contract) =>
    LIST_VIEW.fields(contract).map(([name, value]) => [name, name === 'methods' ? contract.methods.join(' ') : value]),
};

interface ContractFields {
  readonly backend?: string;
  readonly descriptorSet?: string;
  readonly protos?: string;
  readonly listener?: string[];
}

export function addContractCommands(program: Command, io: Io): void {
  const contracts = program.command('contracts').description('what can be called: list, get, create, update, delete');
  addList(contracts, io);
  addGet(contracts, io);
  addCreate(contracts, io);
  addUpdate(contracts, io);
  addDelete(contracts, io);
}

function addList(contracts: Command, io: Io): void {
  addAdminOptions(contracts.command('list').description("list the contracts, the configuration file's too"))
    .option('--limit <count>', 'at most this many', parseCount, 1000)
    .action((options: AdminOptions & { limit: number }) =>
      withAdminClient(options, io, async (client) => {
        const list = await listAll(options.limit, async (pageSize, pageToken) => {
          const page = await client.call(service.listContracts, { pageSize, pageToken });
          return { items: page.contracts, nextPageToken: page.nextPageToken };
        });
        const nothing = 'No contracts yet: tollgate contracts create ID --backend ID --protos FOLDER --listener NAME';
        printList(io, options.output, LIST_VIEW, list, nothing);
      }),
    );
}

function addGet(contracts: Command, io: Io): void {
  addAdminOptions(contracts.command('get <id>').description('show one contract, with its methods')).action(
    (id: string, options: AdminOptions) =>
      withAdminClient(options, io, async (client) =>
        printOne(io, options.output, VIEW, await client.call(service.getContract, { id })),
      ),
  );
}

function addCreate(contracts: Command, io: Io): void {
  addFields(addChangeOptions(contracts.command('create <id>').description('register a contract'))).action(
    async (contractId: string, options: ChangeOptions & ContractFields) => {
      const contract = Contract.fromPartial(await toContract(options, io));
      await withChange(options, io, async (change) => {
        printOne(io, options.output, VIEW, await change(service.createContract, { contractId, contract }));
      });
    },
  );
}

function addUpdate(contracts: Command, io: Io): void {
  const update = contracts.command('update <id>').description('change a contract; what is not given stays');
  addFields(addChangeOptions(update))
    .option('--etag <etag>', 'change it only if it is still this version')
    .action(async (id: string, options: ChangeOptions & ContractFields & { etag?: string }) => {
      const fields = await toContract(options, io);
      const updateMask = Object.keys(fields).map((name) => (name === 'descriptorSet' ? 'descriptor_set' : name));
      requireChange(update, updateMask);
      await withChange(options, io, async (change) => {
        const contract = Contract.fromPartial({ id, etag: options.etag ?? '', ...fields });
        const updated = await change(service.updateContract, { contract, updateMask });
        printOne(io, options.output, VIEW, updated);
        printEvidence(io, options.output, updated.evidence);
      });
    });
}

function addDelete(contracts: Command, io: Io): void {
  addChangeOptions(contracts.command('delete <id>').description('delete a contract: its methods are unknown then'))
    .option('--etag <etag>', 'delete it only if it is still this version')
    .action((id: string, options: ChangeOptions & { etag?: string }) =>
      withChange(options, io, async (change) => {
        await change(service.deleteContract, { id, etag: options.etag ?? '' });
        printDone(io, options, `Deleted contract ${id}.`);
      }),
    );
}

function addFields(command: Command): Command {
  return command
    .option('--backend <id>', 'where its calls go')
    .addOption(
      new Option('--descriptor-set <file>', 'a binary FileDescriptorSet, as buf and protoc write it').conflicts(
        'protos',
      ),
    )
    .option('--protos <folder>', 'a folder of .proto files, which are compiled here')
    .option('--listener <name>', 'that shows it; may be repeated, or divided by commas', parseList);
}

/** What was given, and nothing else. */
async function toContract(options: ContractFields, io: Io): Promise<Partial<Contract>> {
  const descriptorSet = await readDescriptors(options, io);
  return {
    ...(options.backend === undefined ? {} : { backend: options.backend }),
    ...(descriptorSet === undefined ? {} : { descriptorSet }),
    ...(options.listener === undefined ? {} : { listeners: options.listener }),
  };
}

async function readDescriptors({ descriptorSet, protos }: ContractFields, io: Io): Promise<Buffer | undefined> {
  try {
    if (descriptorSet !== undefined) return await readFile(resolve(io.cwd, descriptorSet));
    return protos === undefined ? undefined : Buffer.from(await compileProtos(resolve(io.cwd, protos), protos));
  } catch (error) {
    if (error instanceof CompileError) throw new CliError(error.complaints.map(formatComplaint).join('\n'));
    throw new CliError(`cannot read ${descriptorSet}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
