import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Backend, BackendServiceService as service } from '../../generated/tollgate/admin/v1/backend.ts';
import { durationToMs } from '../contracts/policy.ts';
import { toDuration } from '../metrics/series-report.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { addChangeOptions, type ChangeOptions, printDone, withChange } from './change.ts';
import { CliError, type Io } from './io.ts';
import { listAll } from './list-all.ts';
import { parseCount, parseDuration, parseList } from './parse-values.ts';
import { formatTime, printList, printOne, type View } from './print.ts';
import { requireChange } from './require-change.ts';
import { jsonOf } from './to-json.ts';

const VIEW: View<Backend> = {
  toJson: jsonOf('tollgate.admin.v1.Backend', Backend),
  fields: (backend) => [
    ['id', backend.id],
    ['endpoints', backend.endpoints.join(' ')],
    ['tls', backend.tls === undefined ? 'no' : backend.tls.serverName || 'yes'],
    ['timeout', backend.defaultTimeout === undefined ? 'none' : `${durationToMs(backend.defaultTimeout)}ms`],
    ['defined', backend.fromFile ? 'in the file' : 'registered'],
    ['created', formatTime(backend.createTime)],
    ['etag', backend.etag],
  ],
};

interface BackendFields {
  readonly endpoint?: string[];
  readonly backendTls?: boolean;
  readonly backendCa?: string;
  readonly backendServerName?: string;
  readonly connectTimeout?: number;
  readonly defaultTimeout?: number;
  readonly maxConnections?: number;
  readonly maxAttempts?: number;
}

export function addBackendCommands(program: Command, io: Io): void {
  const backends = program.command('backends').description('where calls go: list, get, create, update, delete');
  addList(backends, io);
  addGet(backends, io);
  addCreate(backends, io);
  addUpdate(backends, io);
  addDelete(backends, io);
}

function addList(backends: Command, io: Io): void {
  addAdminOptions(backends.command('list').description("list the backends, the configuration file's too"))
    .option('--limit <count>', 'at most this many', parseCount, 1000)
    .action((options: AdminOptions & { limit: number }) =>
      withAdminClient(options, io, async (client) => {
        const list = await listAll(options.limit, async (pageSize, pageToken) => {
          const page = await client.call(service.listBackends, { pageSize, pageToken });
          return { items: page.backends, nextPageToken: page.nextPageToken };
        });
        printList(io, options.output, VIEW, list, 'No backends yet: tollgate backends create ID --endpoint HOST:PORT');
      }),
    );
}

function addGet(backends: Command, io: Io): void {
  addAdminOptions(backends.command('get <id>').description('show one backend')).action(
    (id: string, options: AdminOptions) =>
      withAdminClient(options, io, async (client) =>
        printOne(io, options.output, VIEW, await client.call(service.getBackend, { id })),
      ),
  );
}

function addCreate(backends: Command, io: Io): void {
  addFields(addChangeOptions(backends.command('create <id>').description('register a backend'))).action(
    (backendId: string, options: ChangeOptions & BackendFields) =>
      withChange(options, io, async (change) => {
        const backend = Backend.fromPartial(await toBackend(options, io));
        printOne(io, options.output, VIEW, await change(service.createBackend, { backendId, backend }));
      }),
  );
}

function addUpdate(backends: Command, io: Io): void {
  const update = backends
    .command('update <id>')
    .description('change a backend: new calls go where it says; what is not given stays');
  addFields(addChangeOptions(update))
    .option('--etag <etag>', 'change it only if it is still this version')
    .action(async (id: string, options: ChangeOptions & BackendFields & { etag?: string }) => {
      const fields = await toBackend(options, io);
      const updateMask = Object.keys(fields).map((name) =>
        name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      );
      requireChange(update, updateMask);
      await withChange(options, io, async (change) => {
        const backend = Backend.fromPartial({ id, etag: options.etag ?? '', ...fields });
        printOne(io, options.output, VIEW, await change(service.updateBackend, { backend, updateMask }));
      });
    });
}

function addDelete(backends: Command, io: Io): void {
  addChangeOptions(backends.command('delete <id>').description('delete a backend that no contract has'))
    .option('--etag <etag>', 'delete it only if it is still this version')
    .action((id: string, options: ChangeOptions & { etag?: string }) =>
      withChange(options, io, async (change) => {
        await change(service.deleteBackend, { id, etag: options.etag ?? '' });
        printDone(io, options, `Deleted backend ${id}.`);
      }),
    );
}

function addFields(command: Command): Command {
  return command
    .option('--endpoint <host:port>', 'where it is; may be repeated, or divided by commas', parseList)
    .option('--backend-tls', 'call it over TLS, trusting the authorities of the system')
    .option('--backend-ca <file>', 'call it over TLS, trusting the authorities of this PEM file')
    .option(
      '--backend-server-name <name>',
      "call it over TLS: the name its certificate must have, if not the endpoint's",
    )
    .option('--connect-timeout <duration>', 'such as 2s', parseDuration)
    .option('--default-timeout <duration>', 'the deadline of calls that bring none', parseDuration)
    .option('--max-connections <count>', 'connections to each endpoint', parseCount)
    .option('--max-attempts <count>', 'attempts of one call; 1 is no retry', parseCount);
}

/** What was given, and nothing else. */
async function toBackend(options: BackendFields, io: Io): Promise<Partial<Backend>> {
  const { endpoint, backendTls, backendCa, backendServerName } = options;
  const secure = backendTls || backendCa !== undefined || backendServerName !== undefined;
  const caPem = backendCa === undefined ? '' : await read(backendCa, io);
  return {
    ...(endpoint === undefined ? {} : { endpoints: endpoint }),
    ...(secure ? { tls: { serverName: backendServerName ?? '', caPem } } : {}),
    ...(options.connectTimeout === undefined ? {} : { connectTimeout: toDuration(options.connectTimeout) }),
    ...(options.defaultTimeout === undefined ? {} : { defaultTimeout: toDuration(options.defaultTimeout) }),
    ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
    ...(options.maxAttempts === undefined ? {} : { retry: { maxAttempts: options.maxAttempts } }),
  };
}

async function read(file: string, io: Io): Promise<string> {
  try {
    return await readFile(resolve(io.cwd, file), 'utf8');
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
