import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiKey, ApiKeyServiceService } from '../../generated/tollgate/admin/v1/api_key.ts';
import {
  AuditServiceService,
  ListAuditEntriesRequest,
  ListAuditEntriesResponse,
} from '../../generated/tollgate/admin/v1/audit.ts';
import { Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { type Config, Store_Redis, Telemetry } from '../../generated/tollgate/config/v1/config.ts';
import {
  GetMetricsRequest,
  GetMetricsResponse,
  MetricsServiceService,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { runCli } from '../cli/fake-io.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { everythingPath } from '../support/everything-methods.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { H2Client } from '../support/h2-client.ts';
import { OtlpCollector } from '../support/otlp-collector.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { newSigningKey, signToken, TokenIssuer } from '../support/token-issuer.ts';

// Where no secret may be found, after all kinds of credentials have been made, used, misused and deleted. Whoever adds a place
// in which something of calls or of the configuration is kept or shown adds it here.

interface World {
  readonly gateway: GatewayProcess;
  readonly admin: AdminClient;
  readonly redis: RedisServer | undefined;
  readonly collector: OtlpCollector;
}

interface Place {
  readonly name: string;
  /** Undefined: there is no such place in this world. */
  read(world: World): Promise<Buffer | undefined>;
  /** Something that must be in it: a place that is read wrongly has no secrets either. */
  readonly contains: string;
}

const PLACES: readonly Place[] = [
  { name: 'the store’s files', read: async ({ gateway }) => filesOf(gateway.folder), contains: 'alpha' },
  { name: 'Redis', read: async ({ redis }) => redis && contentOf(redis), contains: 'alpha' },
  {
    name: 'the log, at its most talkative',
    read: async ({ gateway }) => Buffer.from(gateway.output),
    contains: 'CREDENTIAL_INVALID',
  },
  { name: 'spans', read: ({ collector }) => spansOf(collector), contains: 'everything.v1.EverythingService/Unary' },
  { name: 'metrics', read: ({ admin }) => metricsOf(admin), contains: 'UNAUTHENTICATED' },
  { name: 'the audit log', read: ({ admin }) => auditOf(admin), contains: 'laptop' },
  { name: 'an export', read: ({ gateway }) => exportOf(gateway), contains: 'laptop' },
];

/** All but the configuration, which is the operator's own. */
function filesOf(folder: string): Buffer {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((file) => file.isFile() && file.name !== 'tollgate.yaml');
  return Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
}

/** Every key with its content, whatever its type: DUMP has both as they are. */
async function contentOf(redis: RedisServer): Promise<Buffer> {
  const parts: string[] = [];
  for (const key of [await redis.command('KEYS', '*')].flat()) {
    const type = String(await redis.command('TYPE', String(key)));
    const [command, ...rest] = READERS[type] ?? ['GET'];
    parts.push(String(key), JSON.stringify(await redis.command(command, String(key), ...rest)));
  }
  return Buffer.from(parts.join('\n'));
}

const READERS: Readonly<Record<string, readonly [string, ...(string | number)[]]>> = {
  string: ['GET'],
  hash: ['HGETALL'],
  list: ['LRANGE', 0, -1],
  set: ['SMEMBERS'],
  zset: ['ZRANGE', 0, -1, 'WITHSCORES'],
  stream: ['XRANGE', '-', '+'],
};

/** Every call is traced; spans go out with some delay. */
async function spansOf({ spans, watch }: OtlpCollector): Promise<Buffer> {
  await watch.until(() => spans.filter(({ kind }) => kind === 'server').length >= CALLS);
  return Buffer.from(JSON.stringify(spans, (_, value) => (typeof value === 'bigint' ? String(value) : value)));
}

async function metricsOf(admin: AdminClient): Promise<Buffer> {
  const answer = await admin.call(MetricsServiceService.getMetrics, GetMetricsRequest.fromPartial({}));
  return Buffer.from(JSON.stringify(GetMetricsResponse.toJSON(answer)));
}

async function auditOf(admin: AdminClient): Promise<Buffer> {
  const answer = await admin.call(AuditServiceService.listAuditEntries, ListAuditEntriesRequest.fromPartial({}));
  const octets = ListAuditEntriesResponse.encode(answer).finish();
  return Buffer.concat([octets, Buffer.from(JSON.stringify(ListAuditEntriesResponse.toJSON(answer)))]);
}

/** As a terminal shows it, for people and for programs. */
async function exportOf({ admin, config }: GatewayProcess): Promise<Buffer> {
  const command = ['export', '--address', `127.0.0.1:${admin}`, '--key', config.adminKey];
  const shown = [await runCli(command), await runCli([...command, '--output', 'json'])];
  return Buffer.from(shown.map(({ out, err }) => out + err).join('\n'));
}

/** Each of the ten credentials comes twice. */
const CALLS = 20;
const issuer = new TokenIssuer();
const backend = new EverythingBackend();
beforeAll(() => Promise.all([issuer.start(), backend.start()]));
afterAll(() => Promise.all([issuer.stop(), backend.stop()]));

function edit(config: Config, redis: RedisServer | undefined, collector: OtlpCollector): void {
  const keys = { $case: 'jwksUrl', jwksUrl: issuer.jwksUrl } as const;
  config.tenants[0]!.issuers = [Issuer.fromPartial({ issuer: issuer.url, audiences: ['shop'], keys })];
  config.telemetry = Telemetry.fromPartial({
    logLevel: 'trace',
    otlp: { endpoint: collector.grpcUrl },
    tracing: { ratio: 1 },
  });
  if (redis !== undefined)
    config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url: redis.url }) } };
}

/** Makes and uses credentials of all kinds. @returns them by name */
async function useSecrets({ gateway, admin }: World): Promise<Record<string, string>> {
  const { config } = gateway;
  const made = await admin.createKey('alpha', 'laptop');
  const deleted = await admin.createKey('alpha', 'deleted');
  const update = ApiKey.fromPartial({ id: made.id, scopes: ['everything.scoped'] });
  await admin.call(ApiKeyServiceService.updateApiKey, { apiKey: update, updateMask: ['scopes'] });
  const secrets: Record<string, string> = {
    'the admin key': config.adminKey,
    'a key of the configuration': config.key('alpha'),
    'a key that was made': made.key,
    'a key that was deleted': deleted.key,
    'a key that nobody has': `${made.key.slice(0, -8)}zzzzzzzz`,
    'what is no key': 'hunter2-hunter2',
    'a token': issuer.token(),
    'a token of a stranger': signToken(issuer.parts(), newSigningKey('ES256', 'stranger')),
    'an expired token': issuer.token({ exp: 1 }),
  };
  const client = await H2Client.connect(`http://127.0.0.1:${gateway.public}`);
  const statuses: number[] = [];
  for (const secret of [...Object.values(secrets), config.key('beta')]) {
    statuses.push(await client.grpc(everythingPath('Unary'), secret));
    // Where it does not belong: in a field that goes on to the backend, and in the path.
    statuses.push(await client.grpc(`/${encodeURIComponent(secret)}/Method`, secret));
  }
  await admin.deleteKey(deleted.id);
  await client.grpc(everythingPath('Unary'), deleted.key);
  client.close();
  expect(statuses.filter((status) => status === 0).length).toBe(6);
  expect(statuses.length).toBe(CALLS);
  return secrets;
}

describe.each(['on the embedded store', 'on Redis'])('no secret is found %s', (store) => {
  let redis: RedisServer | undefined;
  let collector: OtlpCollector;
  let gateway: GatewayProcess;
  let admin: AdminClient;
  let secrets: Record<string, string>;

  beforeAll(async () => {
    if (store === 'on Redis') redis = await startRedis();
    collector = await new OtlpCollector().start();
    gateway = await GatewayProcess.start({
      backend: backend.address,
      edit: (config) => edit(config, redis, collector),
    });
    admin = new AdminClient(gateway.admin, gateway.config.adminKey);
    secrets = await useSecrets({ gateway, admin, redis, collector });
  });
  afterAll(async () => {
    admin?.close();
    await gateway?.dispose();
    await redis?.stop();
    await collector?.stop();
  });

  test.each(PLACES)('in $name', async ({ read, contains }) => {
    const content = await read({ gateway, admin, redis, collector });
    if (content === undefined) return;
    expect(content.includes(contains)).toBe(true);
    for (const [name, secret] of Object.entries(secrets)) {
      for (const form of formsOf(secret)) expect([name, content.includes(form)]).toEqual([name, false]);
    }
  });
});

/** A secret, and what of it would be as good: the random part of a key, the signature and the claims of a token. */
function formsOf(secret: string): string[] {
  const parts = secret.split(/[._]/).filter((part) => part.length >= 26);
  return [secret, ...parts, Buffer.from(secret).toString('base64').slice(0, -4), Buffer.from(secret).toString('hex')];
}
