import { type Command, Option } from 'commander';
import {
  ApiKey,
  RotateApiKeyRequest,
  ApiKey_State as State,
  ApiKeyServiceService as service,
} from '../../generated/tollgate/admin/v1/api_key.ts';
import type { RateLimit } from '../../generated/tollgate/admin/v1/plan.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { addChangeOptions, type ChangeOptions, printDone, withChange } from './change.ts';
import { waitForFleet } from './gateways.ts';
import { CliError, type Io } from './io.ts';
import { listAll } from './list-all.ts';
import { addRemoveLimitOption, changesLimits, mergeLimits } from './merge-rates.ts';
import { formatLimit, parseCount, parseDuration, parseExpiry, parseLimit, parseList } from './parse-values.ts';
import { formatTime, printJson, printList, printOne, type View } from './print.ts';
import { requireChange } from './require-change.ts';
import { jsonOf } from './to-json.ts';

const STATES = { active: State.STATE_ACTIVE, disabled: State.STATE_DISABLED } as const;

const VIEW: View<ApiKey> = {
  toJson: jsonOf('tollgate.admin.v1.ApiKey', ApiKey),
  fields: (key) => [
    ['id', key.id],
    ['tenant', key.tenantId],
    ['name', key.name],
    ['scopes', key.scopes.join(' ')],
    ['state', key.state === State.STATE_DISABLED ? 'disabled' : 'active'],
    ['limits', key.limits.map(formatLimit).join(' ')],
    ['expires', formatTime(key.expireTime) || 'never'],
    ['last used', formatTime(key.lastUseTime)],
    ['etag', key.etag],
  ],
};

/** Given as an option; a key that never expires has no time. */
interface Expiry {
  readonly time: Date | undefined;
}

interface KeyFields {
  readonly name?: string;
  readonly scope?: string[];
  readonly state?: keyof typeof STATES;
  readonly expires?: Expiry;
  readonly limit?: RateLimit[];
  readonly limits?: boolean;
  readonly removeLimit?: string[];
}

export function addKeyCommands(program: Command, io: Io): void {
  const keys = program.command('keys').description('API keys of tenants: list, get, create, update, rotate, delete');
  addList(keys, io);
  addGet(keys, io);
  addCreate(keys, io);
  addUpdate(keys, io);
  addRotate(keys, io);
  addDelete(keys, io);
}

function addList(keys: Command, io: Io): void {
  addAdminOptions(keys.command('list').description('list the keys: never their text, which is not kept'))
    .option('--tenant <id>', 'of this tenant only')
    .option('--limit <count>', 'at most this many', parseCount, 1000)
    .action((options: AdminOptions & { tenant?: string; limit: number }) =>
      withAdminClient(options, io, async (client) => {
        const list = await listAll(options.limit, async (pageSize, pageToken) => {
          const page = await client.call(service.listApiKeys, { tenantId: options.tenant ?? '', pageSize, pageToken });
          return { items: page.apiKeys, nextPageToken: page.nextPageToken };
        });
        printList(io, options.output, VIEW, list, 'No keys yet: tollgate keys create --tenant ID --name NAME');
      }),
    );
}

function addGet(keys: Command, io: Io): void {
  addAdminOptions(keys.command('get <id>').description('show one key: never its text, which is not kept')).action(
    (id: string, options: AdminOptions) =>
      withAdminClient(options, io, async (client) =>
        printOne(io, options.output, VIEW, await client.call(service.getApiKey, { id })),
      ),
  );
}

function addCreate(keys: Command, io: Io): void {
  addFields(
    addChangeOptions(keys.command('create').description('create a key and print it: it is shown this once')),
    io,
  )
    .requiredOption('--tenant <id>', 'whose key it is')
    .requiredOption('--name <name>', 'what it is for, such as laptop or ci')
    .action((options: ChangeOptions & KeyFields & { tenant: string }) =>
      withChange(options, io, async (change) => {
        const apiKey = ApiKey.fromPartial(toKey(options));
        const made = await change(service.createApiKey, { tenantId: options.tenant, apiKey });
        if (options.output === 'json') {
          printJson(io, { apiKey: made.apiKey && VIEW.toJson(made.apiKey), key: made.key });
          return;
        }
        if (options.validateOnly) return;
        if (made.key === '') throw new CliError(describeRepeated(made.apiKey?.id ?? ''));
        // The key alone on stdout: KEY=$(tollgate keys create ...) works.
        io.stderr.write(`Created key ${made.apiKey?.id ?? ''}. Keep it: it cannot be shown again.\n`);
        io.stdout.write(`${made.key}\n`);
      }),
    );
}

/** Under its request id the key was made before, and shown then: what is to do when it was lost on the way. */
function describeRepeated(id: string): string {
  return (
    `key ${id} was created by an earlier request under this id, whose answer alone had its text.\n` +
    `If that was lost, revoke the key (tollgate keys delete ${id}) and create another.`
  );
}

function addUpdate(keys: Command, io: Io): void {
  const update = keys.command('update <id>').description('change a key; what is not given stays');
  addRemoveLimitOption(addFields(addChangeOptions(update), io))
    .option('--name <name>', 'what it is for')
    .option('--no-limits', 'its limits are taken away, but for what is given here')
    .option('--etag <etag>', 'change it only if it is still this version')
    .action((id: string, options: ChangeOptions & KeyFields & { etag?: string }) => {
      const updateMask = [
        ...(options.name === undefined ? [] : ['name']),
        ...(options.scope === undefined ? [] : ['scopes']),
        ...(options.state === undefined ? [] : ['state']),
        ...(options.expires === undefined ? [] : ['expire_time']),
        ...(changesLimits(options) || options.limits === false ? ['limits'] : []),
      ];
      requireChange(update, updateMask);
      return withChange(options, io, async (change, client) => {
        const apiKey = ApiKey.fromPartial({ id, etag: options.etag ?? '', ...toKey(options) });
        if (changesLimits(options) && options.limits !== false) {
          apiKey.limits = mergeLimits((await client.call(service.getApiKey, { id })).limits, options);
        }
        printOne(io, options.output, VIEW, await change(service.updateApiKey, { apiKey, updateMask }));
      });
    });
}

function addRotate(keys: Command, io: Io): void {
  const rotate = keys
    .command('rotate <id>')
    .description('make a key with the same rights in place of one, and print it: it is shown this once');
  addChangeOptions(rotate)
    .option('--grace <duration>', 'how long the old one goes on: 30m, 12h, 7d', parseDuration, 0)
    .addOption(expiresOption(io, 'when the new one ends; as the old one would have, when not given'))
    .option('--etag <etag>', 'rotate it only if it is still this version')
    .action((id: string, options: ChangeOptions & { grace: number; expires?: Expiry; etag?: string }) =>
      withChange(options, io, async (change) => {
        const grace = { seconds: options.grace / 1000, nanos: 0 };
        const { etag = '', expires } = options;
        const request = RotateApiKeyRequest.fromPartial({ id, etag, grace, expireTime: expires?.time });
        const made = await change(service.rotateApiKey, request);
        if (options.output === 'json') {
          const [apiKey, oldApiKey] = [made.apiKey, made.oldApiKey].map((key) => key && VIEW.toJson(key));
          printJson(io, { apiKey, key: made.key, oldApiKey });
          return;
        }
        if (options.validateOnly) return;
        if (made.key === '') throw new CliError(describeRepeated(made.apiKey?.id ?? ''));
        const end = formatTime(made.oldApiKey?.expireTime);
        const fate = options.grace === 0 ? 'is refused from now on' : `goes on until ${end}`;
        io.stderr.write(`Created key ${made.apiKey?.id ?? ''}. Keep it: it cannot be shown again.\n`);
        io.stderr.write(`The old key ${id} ${fate}.\n`);
        io.stdout.write(`${made.key}\n`);
      }),
    );
}

function addDelete(keys: Command, io: Io): void {
  addChangeOptions(keys.command('delete <id>').description('revoke a key for good'))
    .option('--etag <etag>', 'delete it only if it is still this version')
    .option('--wait', 'until every gateway of the fleet refuses it; names those that do not say so')
    .action((id: string, options: ChangeOptions & { etag?: string; wait?: boolean }) =>
      withChange(options, io, async (change, client) => {
        await change(service.deleteApiKey, { id, etag: options.etag ?? '' });
        printDone(io, options, `Revoked key ${id}.`);
        if (options.wait && !options.validateOnly) await waitForFleet(client, io);
      }),
    );
}

function addFields(command: Command, io: Io): Command {
  return command
    .option('--scope <scopes>', 'what it may do: scopes divided by commas; may be repeated', parseList)
    .addOption(new Option('--state <state>', 'a disabled key is refused').choices(Object.keys(STATES)))
    .option(
      '--limit <name=rate:burst>',
      'what calls with it may come to, under the plan: calls=5:10; may be repeated',
      parseLimit,
    )
    .addOption(expiresOption(io, 'a duration (30d, 12h), a time (2030-01-31T12:00:00Z) or never'));
}

function expiresOption(io: Io, description: string): Option {
  return new Option('--expires <when>', description).argParser(
    (text): Expiry => ({ time: parseExpiry(text, io.now()) }),
  );
}

function toKey({ name, scope, state, expires, limit }: KeyFields): Partial<ApiKey> {
  return {
    ...(name === undefined ? {} : { name }),
    ...(scope === undefined ? {} : { scopes: scope }),
    ...(state === undefined ? {} : { state: STATES[state] }),
    ...(limit === undefined ? {} : { limits: limit }),
    ...(expires === undefined ? {} : { expireTime: expires.time }),
  };
}
