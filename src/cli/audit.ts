import { type Command, InvalidArgumentError } from 'commander';
import {
  AuditEntry,
  ListAuditEntriesRequest,
  AuditServiceService as service,
  WatchChangesRequest,
  WatchChangesResponse,
} from '../../generated/tollgate/admin/v1/audit.ts';
import { type AdminClient, type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import type { Io } from './io.ts';
import { listAll } from './list-all.ts';
import { parseCount } from './parse-values.ts';
import { formatTime, printList, type View } from './print.ts';
import { escapeControls } from './table.ts';
import { jsonOf } from './to-json.ts';

interface AuditOptions extends AdminOptions {
  readonly tenant?: string;
  readonly principal?: string;
  readonly method?: string;
  readonly status?: string;
  readonly since?: Date;
  readonly until?: Date;
  readonly limit: number;
  readonly follow?: boolean;
}

const VIEW: View<AuditEntry> = {
  toJson: jsonOf('tollgate.admin.v1.AuditEntry', AuditEntry),
  fields: (entry) => [
    ['time', formatTime(entry.time)],
    ['who', `${entry.principal}${entry.role === '' ? '' : ` (${entry.role})`}`],
    ['did', entry.method.slice(entry.method.lastIndexOf('/') + 1)],
    ['to', entry.resource],
    ['status', entry.omitted === 0 ? entry.status : `${entry.status} (${entry.omitted} more before)`],
    ['why', entry.reason === '' ? entry.message : entry.reason],
  ],
};

const toJson = jsonOf('tollgate.admin.v1.WatchChangesResponse', WatchChangesResponse);
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function addAuditCommand(program: Command, io: Io): void {
  const time = (text: string): Date => parsePast(text, io.now());
  addAdminOptions(program.command('audit').description('who changed what, when and why; the last first'))
    .option('--tenant <id>', 'about this tenant, or by its credentials')
    .option('--principal <id>', 'by this key, or whatever the credential said of its owner')
    .option('--method <name>', 'such as DeleteTenant, or pkg.Service/Method')
    .option('--status <name>', 'OK, or what the refusals of changes were: PERMISSION_DENIED, ...')
    .option('--since <when>', 'from then on: 2h ago is written 2h; or 2030-01-31T12:00:00Z', time)
    .option('--until <when>', 'before then', time)
    .option('--limit <count>', 'at most this many', parseCount, 100)
    .option('--follow', 'each change as it is made, until Ctrl-C; with --output json one a line')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  tollgate audit --tenant acme --since 7d\n' +
        '  tollgate audit --status PERMISSION_DENIED --output json    with what was before and after\n' +
        '  tollgate audit --follow',
    )
    .action((options: AuditOptions, command: Command) => {
      if (options.follow) refuseFilters(command);
      return withAdminClient(options, io, (client) =>
        options.follow ? follow(client, options, io) : list(client, options, io),
      );
    });
}

/** A time gone by: a duration back from now, or ISO 8601. */
function parsePast(text: string, now: number): Date {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const time = count === undefined ? Date.parse(text) : now - Number(count) * (UNITS[unit] ?? 0);
  if (Number.isFinite(time) && Math.abs(time) <= 8.64e15) return new Date(time);
  throw new InvalidArgumentError('write how long ago (90s, 30m, 2h, 7d) or a time (2030-01-31T12:00:00Z).');
}

async function list(client: AdminClient, options: AuditOptions, io: Io): Promise<void> {
  const { tenant = '', principal = '', method = '', status = '', since, until, limit } = options;
  const asked = { tenantId: tenant, principal, method, status, startTime: since, endTime: until };
  const found = await listAll(limit, async (pageSize, pageToken) => {
    const request = ListAuditEntriesRequest.fromPartial({ ...asked, pageSize, pageToken });
    const page = await client.call(service.listAuditEntries, request);
    return { items: page.entries, nextPageToken: page.nextPageToken };
  });
  printList(io, options.output, VIEW, found, 'Nothing of this is in the audit log.');
}

/** The stream has no filters: what it does not do is not passed over. */
function refuseFilters(command: Command): void {
  for (const name of ['tenant', 'principal', 'method', 'status', 'since', 'until']) {
    if (command.getOptionValueSource(name) === undefined) continue;
    command.error(`error: --${name} does not go with --follow: leave it out, or look back without --follow`);
  }
}

async function follow(client: AdminClient, { output }: AuditOptions, io: Io): Promise<void> {
  const stop = new AbortController();
  const release = io.onStopSignal(() => stop.abort());
  try {
    for await (const change of client.stream(service.watchChanges, WatchChangesRequest.fromPartial({}), stop.signal)) {
      if (output === 'json') io.stdout.write(`${JSON.stringify(toJson(change))}\n`);
      // The first says only where the stream begins.
      else if (change.resourceCount === 0)
        io.stderr.write(`Following from version ${change.version}; Ctrl-C stops it.\n`);
      else io.stdout.write(`${escapeControls(describe(change, io))}\n`);
    }
  } finally {
    release();
  }
}

function describe({ version, resources, resourceCount, entry }: WatchChangesResponse, io: Io): string {
  const more = resourceCount > resources.length ? ` and ${resourceCount - resources.length} more` : '';
  const who = entry?.principal || '-';
  const what = entry === undefined ? 'changed' : entry.method.slice(entry.method.lastIndexOf('/') + 1);
  const why = entry?.reason ? `: ${entry.reason}` : '';
  const time = formatTime(entry?.time ?? new Date(io.now()));
  return `${time}  version ${version}  ${who}  ${what}  ${resources.join(', ')}${more}${why}`;
}
