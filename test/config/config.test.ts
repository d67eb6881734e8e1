import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Plan_Priority } from '../../generated/tollgate/admin/v1/plan.ts';
import { PlanOverrides } from '../../generated/tollgate/admin/v1/tenant.ts';
import { Config } from '../../generated/tollgate/config/v1/config.ts';
import { check } from '../../src/cli/check.ts';
import { formatAddress, parseAddress } from '../../src/config/address.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import { loadContracts } from '../../src/config/load-contracts.ts';
import { readDuration } from '../../src/config/read-scalar.ts';
import { toSettings } from '../../src/config/settings.ts';
import { Code } from '../../src/grpc/status.ts';
import { AllowList } from '../../src/sync/allow-list.ts';
import { hashKey } from '../../src/tenants/key-text.ts';
import { folderWith, SHOP } from '../contracts/fixtures.ts';

const KEY = `tg_laptop_0123456789abcdef_${'x'.repeat(32)}`;
/** What `npm start` runs. */
const EXAMPLE = resolve(import.meta.dirname, '../../examples/bookstore/tollgate.yaml');
const env = { TOLLGATE_DEMO_KEY: KEY, TOLLGATE_DEMO_SMALL_KEY: KEY.replace('0123', '4567') };

const FULL = `
listeners:
  - name: public
    address: '[::1]:0'
    contracts: [shop, tollgate]
    trust_request_id: true
    errors: uniform
    tls:
      cert: a.pem
      key: b.pem
      certificates: [{ cert: b.pem, key: a.pem, server_names: ['*.Shop.test'] }]
      client_ca: a.pem
      client_auth: optional
    max_connection_age: 30m
store: { embedded: { path: state/t.db } }
backends:
  - name: shop
    endpoints: ['localhost:1', 'unix:/run/shop.sock']
    breaker: { failure_ratio: 0.25, window: 1m30s, min_calls: 3, open_for: 500ms, probes: 2, failure_statuses: [ABORTED] }
    connect_timeout: 0.5s
    default_timeout: 2m
    max_connections: 9
    retry: { max_attempts: 2, budget_ratio: 0.5 }
    tls: { ca: a.pem, server_name: shop.test }
contracts:
  - name: shop
    protos: protos
    backend: shop
    policy:
      shop.v1.Shop: { cost: 9, max_deadline: 250ms }
plans:
  - name: gold
    limits: [{ name: calls, rate: 0.5, burst: 2 }, { name: slow, rate: 1, burst: 1 }]
    quotas:
      - { metric: units, limit: 5, period: MONTH, time_zone: Europe/Berlin }
      - { metric: units, limit: 5, period: PERIOD_DAY, anchor: 23 }
    concurrency: 7
    priority: low
    allowed: [shop]
tenants:
  - id: t
    display_name: T
    plan: gold
    keys: [{ name: k, sha256: ${'0a'.repeat(32)}, scopes: [x], limits: [{ name: calls, rate: 1, burst: 3 }] }]
    allowed: [shop.v1.Shop]
    overrides: { limits: [{ name: calls, rate: 2, burst: 2 }], concurrency: 0, priority: high }
    issuers: [{ issuer: 'https://a.test/', audiences: [shop], jwks_file: keys.json, types: [JWT] }]
    client_certificates: [{ name: web, uri: 'spiffe://a.test/web', scopes: [y] }]
authentication:
  max_token_octets: 4096
  token_cache: 1m
  jwks_max_age: 1h
  http_hosts: [Keys.internal]
  ca: a.pem
  failures: { burst: 5, rate: 0.5, exempt: [10.0.0.0/8] }
telemetry:
  log_level: debug
  otlp: { endpoint: 'http://127.0.0.1:4317' }
  metrics: { max_series: 500, memory_mib: 8, prometheus: { require_key: true } }
overload: { max_delay: 50ms, max_memory_mib: 512 }
`;

const KEY_SET = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}';
const FILES = { 'keys.json': KEY_SET, 'a.pem': '', 'b.pem': '', 'protos/shop.proto': SHOP };

test('everything that a file says arrives, with paths absolute and durations in milliseconds', () => {
  const baseDir = folderWith(FILES);
  const loaded = parseConfig(FULL, 'tollgate.yaml', { env: {}, baseDir });
  expect(toSettings(loaded, {})).toEqual({
    listeners: [
      {
        name: 'public',
        host: '::1',
        port: 0,
        contracts: ['shop', 'tollgate'],
        trustRequestId: true,
        uniformErrors: true,
        maxConnectionAgeMs: 1_800_000,
        limits: { limits: {}, settings: {} },
        tls: {
          cert: `${baseDir}/a.pem`,
          key: `${baseDir}/b.pem`,
          certificates: [{ cert: `${baseDir}/b.pem`, key: `${baseDir}/a.pem`, serverNames: ['*.shop.test'] }],
          clientCa: `${baseDir}/a.pem`,
          clientAuth: 'optional',
        },
      },
    ],
    storePath: `${baseDir}/state/t.db`,
    backends: [
      {
        name: 'shop',
        endpoints: [{ host: 'localhost', port: 1 }, { path: '/run/shop.sock' }],
        breaker: expect.objectContaining({
          failureRatio: 0.25,
          windowMs: 90_000,
          minCalls: 3,
          openForMs: 500,
          probes: 2,
          failureStatuses: new Set([Code.ABORTED]),
        }),
        tls: { ca: `${baseDir}/a.pem`, serverName: 'shop.test', cert: undefined, key: undefined },
        connectTimeoutMs: 500,
        defaultTimeoutMs: 120_000,
        maxConnections: 9,
        retry: { maxAttempts: 2, budgetRatio: 0.5 },
      },
    ],
    plans: [
      {
        id: 'gold',
        limits: [
          { name: 'calls', rate: 0.5, burst: 2 },
          { name: 'slow', rate: 1, burst: 1 },
        ],
        quotas: [
          { metric: 'units', limit: 5, period: 'month', timeZone: 'Europe/Berlin', anchor: 1 },
          { metric: 'units', limit: 5, period: 'day', timeZone: 'UTC', anchor: 23 },
        ],
        concurrency: 7,
        priority: 0,
        allowed: new AllowList(['shop']),
      },
    ],
    tenants: [
      {
        id: 't',
        displayName: 'T',
        plan: 'gold',
        keys: [{ name: 'k', sha256: '0a'.repeat(32), scopes: ['x'], limits: [{ name: 'calls', rate: 1, burst: 3 }] }],
        allowed: ['shop.v1.Shop'],
        overrides: PlanOverrides.fromPartial({
          limits: [{ name: 'calls', rate: 2, burst: 2 }],
          concurrency: 0,
          priority: Plan_Priority.PRIORITY_HIGH,
        }),
        issuers: [
          expect.objectContaining({
            issuer: 'https://a.test/',
            keys: { $case: 'jwks', jwks: KEY_SET },
            types: ['JWT'],
          }),
        ],
        certificates: [{ name: 'web', san: { $case: 'uri', uri: 'spiffe://a.test/web' }, scopes: ['y'] }],
      },
    ],
    authentication: {
      maxTokenLength: 4096,
      tokenCacheMs: 60_000,
      jwksRefreshMs: 300_000,
      jwksMaxAgeMs: 3_600_000,
      httpHosts: new Set(['keys.internal']),
      ca: `${baseDir}/a.pem`,
      failures: { burst: 5, rate: 0.5, exempt: ['10.0.0.0/8'] },
    },
    logLevel: 'debug',
    telemetry: {
      otlp: {
        endpoint: 'http://127.0.0.1:4317',
        protocol: 'grpc',
        serviceName: undefined,
        resourceAttributes: {},
        headers: {},
      },
      tracing: undefined,
    },
    accessLog: { ratio: 0, slowMs: undefined, maxPerSecond: 100, metadata: [] },
    metrics: { maxSeries: 500, memory: 8 * 1024 * 1024 },
    prometheus: { disabled: false, requireKey: true },
    overload: { maxDelayMs: 50, maxMemory: 536_870_912 },
    unixSockets: false,
    retention: { ageMs: 400 * 86_400_000, changes: 100_000, refusals: 10_000 },
  });
});

test('what a file does not say has its default', () => {
  const text = 'listeners: [{ name: a, address: "127.0.0.1:1" }]';
  const loaded = parseConfig(`${text}\nbackends: [{ name: b, endpoints: ["h:1"] }]`, 'x.yaml', {
    env: {},
    baseDir: '/base',
  });
  const settings = toSettings(loaded, {});
  expect(settings).toMatchObject({ storePath: '/base/data/tollgate.db', logLevel: 'info', plans: [], tenants: [] });
  expect(settings.telemetry).toEqual({ otlp: undefined, tracing: undefined });
  expect(settings.metrics).toEqual({ maxSeries: 10_000, memory: 32 * 1024 * 1024 });
  expect(settings.prometheus).toEqual({ disabled: false, requireKey: undefined });
  expect(settings.overload).toEqual({ maxDelayMs: 200, maxMemory: undefined });
  expect(settings.listeners[0]?.maxConnectionAgeMs).toBeUndefined();
  expect(settings.listeners[0]).toMatchObject({ trustRequestId: false, uniformErrors: false, contracts: [] });
  expect(settings.backends[0]).toMatchObject({
    connectTimeoutMs: 2000,
    maxConnections: 4,
    retry: { maxAttempts: 3, budgetRatio: 0.2 },
  });
  expect(settings.backends[0]?.breaker).toMatchObject({
    failureRatio: 0.5,
    windowMs: 10_000,
    minCalls: 10,
    openForMs: 5000,
    probes: 1,
    failureStatuses: new Set([Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.UNKNOWN, Code.DATA_LOSS]),
  });
});

test('a configuration that a program wrote as protobuf JSON reads back the same', () => {
  const baseDir = folderWith(FILES);
  const { config } = parseConfig(FULL, 'tollgate.yaml', { env: {}, baseDir });
  const json = JSON.stringify(Config.toJSON(config));
  expect(parseConfig(json, 'tollgate.json', { env: {}, baseDir }).config).toEqual(config);
});

test('YAML anchors and camel case are understood', () => {
  const { config } = parseConfig(
    'listeners: [{ name: a, address: "127.0.0.1:1", trustRequestId: true }]\nbackends: [{ name: b, endpoints: &e ["h:1"] }, { name: c, endpoints: *e }]',
    'x.yaml',
    { env: {} },
  );
  expect(config.listeners[0]?.trustRequestId).toBe(true);
  expect(config.backends[1]?.endpoints).toEqual(['h:1']);
});

test('the default configuration is the example: bookstore, admin, the plan free and the tenant demo', async () => {
  const loaded = loadConfig(EXAMPLE, { env });
  const settings = toSettings(loaded, env);
  expect(settings.listeners.map(({ host, port, contracts }) => [host, port, ...contracts])).toEqual([
    ['127.0.0.1', 7400, 'bookstore'],
    ['127.0.0.1', 7401, 'tollgate'],
  ]);
  expect(settings.tenants[0]?.keys[0]?.sha256).toBe(hashKey(KEY));
  const { methods, warnings } = await loadContracts(loaded);
  expect(warnings).toEqual([]);
  expect(methods.get('/bookstore.v1.BookstoreService/GetBook')).toMatchObject({ backend: 'bookstore', kind: 'unary' });
});

describe('contracts of a configuration', () => {
  async function complaintsOf(text: string, files: Readonly<Record<string, string>>): Promise<string[]> {
    const loaded = parseConfig(text, 'tollgate.yaml', { env: {}, baseDir: folderWith(files) });
    const error: unknown = await loadContracts(loaded).catch((reason: unknown) => reason);
    return error instanceof ConfigError ? error.message.split('\n') : [];
  }

  test('get the overrides of the configuration', async () => {
    const loaded = parseConfig(FULL, 'tollgate.yaml', { env: {}, baseDir: folderWith(FILES) });
    const { methods } = await loadContracts(loaded);
    expect(methods.get('/shop.v1.Shop/Both')?.policy).toMatchObject({ cost: 9, maxDeadlineMs: 250 });
    expect(methods.get('/shop.v1.Plain/Do')?.policy.cost).toBe(1);
  });

  test('have faults at the place in the proto, or in the configuration', async () => {
    const broken = SHOP.replace('string x', 'strng x');
    expect(await complaintsOf(FULL, { ...FILES, 'protos/shop.proto': broken })).toEqual([
      'protos/shop.proto:4:13: cannot find `strng` in this scope',
    ]);
    expect(await complaintsOf(FULL.replace('shop.v1.Shop:', 'shop.v1.Shp:'), FILES)).toEqual([
      'tollgate.yaml:30:7: the contract has no method or service "shop.v1.Shp"; did you mean "shop.v1.Shop"?',
    ]);
    expect(
      await complaintsOf(FULL.replace('protos: protos', 'protos: .'), {
        'a.pem': '',
        'b.pem': '',
        'keys.json': KEY_SET,
      }),
    ).toEqual([
      'tollgate.yaml:27:13: .: there are no .proto files in the folder; name the folder that imports are relative to',
    ]);
  });

  test('may not have a method of another contract', async () => {
    const twin = FULL.replace(
      'contracts:\n  - name: shop',
      'contracts:\n  - { name: twin, protos: protos, backend: shop }\n  - name: shop',
    );
    const complaints = await complaintsOf(twin, FILES);
    expect(complaints[0]).toBe('tollgate.yaml:28:13: shop.v1.Shop/Inherits is in contract "twin" already');
    expect(complaints).toHaveLength(5);
  });

  test('are what plans and tenants may allow, and nothing else', async () => {
    const text = FULL.replace('allowed: [shop]', 'allowed: [shop, shop.v1.Shop/Bth, shop]').replace(
      'allowed: [shop.v1.Shop]',
      'allowed: [shop.v1.Shp]',
    );
    const lineOf = (line: string) => text.slice(0, text.indexOf(line)).split('\n').length;
    const [plan, tenant] = [lineOf('allowed: [shop, '), lineOf('allowed: [shop.v1')];
    expect(await complaintsOf(text, FILES)).toEqual([
      `tollgate.yaml:${plan}:21: there is no contract, service or method "shop.v1.Shop/Bth"; did you mean "shop.v1.Shop/Both"?`,
      `tollgate.yaml:${plan}:39: "shop" is there twice`,
      `tollgate.yaml:${tenant}:15: there is no contract, service or method "shop.v1.Shp"; did you mean "shop.v1.Shop"?`,
    ]);
  });

  test('give a warning for a limit that no plan has: an admin may add one', async () => {
    const text = FULL.replace('name: slow', 'name: slaw');
    const loaded = parseConfig(text, 'tollgate.yaml', { env: {}, baseDir: folderWith(FILES) });
    const { warnings } = await loadContracts(loaded);
    expect(warnings.map(({ line, message, hint }) => [line, message, hint])).toEqual([
      [26, 'shop.v1.Shop/Says draws on limit "slow", which no plan here has', 'did you mean "slaw"?'],
    ]);
  });
});

describe('tollgate check', () => {
  async function run(path: string, variables: Record<string, string>) {
    const out: string[] = [];
    const err: string[] = [];
    const code = await check(path, { env: variables, out: (line) => out.push(line), err: (line) => err.push(line) });
    return { code, out, err };
  }

  test('prints what is in a good configuration', async () => {
    const { code, out, err } = await run(EXAMPLE, env);
    expect([code, err]).toEqual([0, []]);
    expect(out.slice(1)).toEqual([
      '  listener public: 127.0.0.1:7400, shows bookstore',
      '  listener admin: 127.0.0.1:7401, shows tollgate',
      '  backend bookstore: 127.0.0.1:7500',
      '  contract bookstore: 4 methods, backend bookstore',
      '  plan free',
      '  plan small',
      '  tenant demo: plan free, 1 key',
      '  tenant demo-small: plan small, 1 key',
    ]);
  });

  test('prints every complaint and ends with 1', async () => {
    const path = `${folderWith({ 'tollgate.yaml': 'listeners: 5\nplanes: []\n' })}/tollgate.yaml`;
    const { code, out, err } = await run(path, {});
    expect([code, out]).toEqual([1, []]);
    expect(err).toEqual([
      expect.stringContaining(`${path}:1:12: "listeners" is a list`),
      expect.stringContaining(`${path}:2:1: unknown key "planes"; did you mean "plans"?`),
      `${path}: 2 complaints`,
    ]);
  });
});

test('an address that was formatted parses to the same', () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(
    fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
      expect(parseAddress(formatAddress({ host: name, port }))).toEqual({ host: name, port });
    }),
  );
  expect(parseAddress(formatAddress({ path: '/run/x:1' }))).toEqual({ path: '/run/x:1' });
  for (const text of [
    '',
    ':1',
    'a:',
    'a:b',
    'a:-1',
    'a:65536',
    '[::1]',
    '[]:1',
    '::1:1',
    'a b:1',
    'http://a:1',
    'unix:',
  ]) {
    expect(() => parseAddress(text)).toThrow(TypeError);
  }
});

test('a duration of whole milliseconds is kept exactly', () => {
  const units = fc.constantFrom<[string, number]>(['ms', 1], ['s', 1000], ['m', 60_000], ['h', 3_600_000]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), units, (amount, [unit, ms]) => {
      expect(readDuration(`${amount}${unit}`)).toEqual({ json: `${((amount * ms) / 1000).toFixed(3)}s` });
    }),
  );
  expect(readDuration('1h30m')).toEqual({ json: '5400.000s' });
});
