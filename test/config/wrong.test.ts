import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import { formatComplaint } from '../../src/contracts/complaint.ts';

const KEY = `tg_laptop_0123456789abcdef_${'x'.repeat(32)}`;
const PROTOS = 'examples/bookstore/proto';

/** A configuration that is all right; each test spoils one line of it. */
const GOOD = `listeners:
  - { name: public, address: 127.0.0.1:7400, contracts: [bookstore] }
backends:
  - { name: bookstore, endpoints: [127.0.0.1:7500], breaker: { window: 10s } }
contracts:
  - { name: bookstore, protos: ${PROTOS}, backend: bookstore }
plans:
  - name: free
    limits: [{ name: calls, rate: 50, burst: 100 }]
    quotas: [{ metric: units, limit: 10000, period: day }]
tenants:
  - { id: demo, plan: free, keys: [{ name: laptop, from_env: KEY }] }
telemetry: { log_level: info }
`;

function complaintsOf(text: string, env: Record<string, string> = { KEY }): string[] {
  try {
    parseConfig(text, 'tollgate.yaml', { env, baseDir: '.' });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.complaints.map(formatComplaint);
  }
}

test('a good configuration gives no complaint', () => {
  expect(complaintsOf(GOOD)).toEqual([]);
});

const NAME_HINT = 'a name is lower-case letters, digits and "-", a letter first, at most 63';
const BREAKER_KEYS = 'failure_ratio, window, min_calls, open_for, probes, failure_statuses';

/** What is replaced by what, and the complaint: `line:column: text`. */
const WRONG: readonly (readonly [what: string, from: string, to: string, complaint: string])[] = [
  [
    'an unknown section',
    'telemetry:',
    'metrics:',
    '13:1: unknown key "metrics"; Allowed are listeners, store, backends, contracts, plans, tenants, telemetry, overload, authentication, registration, audit',
  ],
  [
    'a misspelt key',
    'endpoints:',
    'endpoint:',
    '4:24: unknown key "endpoint" in backends[0]; did you mean "endpoints"? Allowed are name, endpoints, breaker, tls, connect_timeout, default_timeout, max_connections, retry',
  ],
  [
    'a misspelt key deep down',
    'window:',
    'windw:',
    `4:64: unknown key "windw" in backends[0].breaker; did you mean "window"? Allowed are ${BREAKER_KEYS}`,
  ],
  ['a missing name', 'name: public, ', '', `2:5: "name" is missing; ${NAME_HINT}`],
  ['a name with capitals', 'name: public', 'name: Public', `2:13: the value of "name" does not fit; ${NAME_HINT}`],
  ['a number for a name', 'name: public', 'name: 42', '2:13: text is expected, not 42; put it in quotes: "42"'],
  [
    'a value where a list is due',
    '[bookstore]',
    'bookstore',
    '2:57: "contracts" is a list; write [a, b], or one item a line after "- "',
  ],
  [
    'a list where a value is due',
    'plan: free',
    'plan: [free]',
    '12:23: one value is expected here, not a list or mapping',
  ],
  [
    'a value where a mapping is due',
    '{ window: 10s }',
    'strong',
    `4:62: a mapping (key: value) is expected with ${BREAKER_KEYS}`,
  ],
  ['text for a number', 'rate: 50', 'rate: fast', '9:35: a number is expected, not "fast"'],
  [
    'a fraction for a whole number',
    'burst: 100',
    'burst: 1.5',
    '9:46: a whole number from 0 to 4294967295 is expected, not 1.5',
  ],
  [
    'text for true or false',
    'name: public',
    'trust_request_id: yes, name: public',
    '2:25: true or false is expected, not "yes"',
  ],
  ['a duration without unit', '10s', '10', '4:72: a duration needs a unit, 10 has none; for example 10s'],
  [
    'a duration of another kind',
    '10s',
    '10 parsecs',
    '4:72: a duration is expected, not "10 parsecs"; for example 500ms, 5s, 2m, 1m30s',
  ],
  ['a duration of nothing', '10s', '0s', '4:72: a duration must be longer than 0; for example 500ms, 5s, 2m, 1m30s'],
  ['an endless duration', '10s', '25d', '4:72: a duration must be at most 24 days; for example 500ms, 5s, 2m, 1m30s'],
  [
    'a misspelt choice',
    'period: day',
    'period: dya',
    '10:53: one of day, month is expected, not "dya"; did you mean "day"?',
  ],
  [
    'the choice of none',
    'period: day',
    'period: unspecified',
    '10:53: one of day, month is expected, not "unspecified"',
  ],
  ['a missing choice', ', period: day', '', '10:14: "period" is missing'],
  ['an address without port', '127.0.0.1:7400', 'localhost', '2:30: "localhost" has no port: host:port is expected'],
  [
    'a port out of range',
    '127.0.0.1:7400',
    '127.0.0.1:70000',
    '2:30: "70000" is not a port: a number from 0 to 65535 is expected',
  ],
  [
    'a URL for an address',
    '127.0.0.1:7400',
    'http://localhost:7400',
    '2:30: "http://localhost:7400" is a URL: host:port is expected',
  ],
  [
    'IPv6 without brackets',
    '127.0.0.1:7400',
    "'::1:7400'",
    '2:30: "::1:7400" is not host:port: an IPv6 address goes in brackets, [::1]:7400',
  ],
  ['a path to listen on', '127.0.0.1:7400', 'unix:/x', '2:30: a listener has a host and a port, not a path'],
  [
    'an endpoint with port 0',
    '127.0.0.1:7500',
    '127.0.0.1:0',
    '4:36: nothing can be reached at port 0; a number from 1 to 65535',
  ],
  ['no endpoint', '[127.0.0.1:7500]', '[]', '4:35: "endpoints" is empty'],
  [
    'a contract that is not there',
    '[bookstore]',
    '[bookstor]',
    '2:58: there is no contract "bookstor"; did you mean "bookstore"?',
  ],
  [
    'a backend that is not there',
    'backend: bookstore',
    'backend: shop',
    '6:67: there is no backend "shop"; there is "bookstore"',
  ],
  ['a plan that is not there', 'plan: free', 'plan: fre', '12:23: there is no plan "fre"; did you mean "free"?'],
  [
    'a folder that is not there',
    PROTOS,
    'nowhere',
    expect.stringContaining('6:32: the folder "nowhere" is not there; relative paths start at '),
  ],
  ['a file for a folder', PROTOS, 'package.json', '6:32: "package.json" is a file, a folder is expected'],
  [
    'a contract without source',
    ` protos: ${PROTOS},`,
    '',
    '6:5: the contract has no source; "protos": a folder of .proto files, or "descriptor_set": a file',
  ],
  [
    'a contract with two sources',
    'protos:',
    'descriptor_set: package.json, protos:',
    '6:62: "protos" and "descriptor_set" exclude each other; keep one of them',
  ],
  [
    'a name of the gateway’s own',
    'contracts:\n  - { name: bookstore',
    'contracts:\n  - { name: health, protos: examples/bookstore/proto, backend: bookstore }\n  - { name: bookstore',
    '6:13: "health" is a contract of the gateway itself; take another name',
  ],
  [
    'an unknown status',
    'window: 10s',
    'failure_statuses: [UNAVAILBLE]',
    '4:83: "UNAVAILBLE" is not a gRPC status; did you mean "UNAVAILABLE"?',
  ],
  ['OK for a failure', 'window: 10s', 'failure_statuses: [OK]', '4:83: OK is not a failure'],
  [
    'a ratio above 1',
    'window: 10s',
    'failure_ratio: 2',
    '4:79: "failure_ratio" must be greater than 0 and less than or equal to 1',
  ],
  [
    'half a client certificate',
    'breaker: { window: 10s }',
    'tls: { cert: package.json }',
    '4:58: "cert" and "key" go together; "key" is missing',
  ],
  [
    'a certificate that is not there',
    'name: public',
    'tls: { cert: a.pem, key: package.json }, name: public',
    expect.stringContaining('2:20: the file "a.pem" is not there; '),
  ],
  ['a rate of 0', 'rate: 50', 'rate: 0', '9:35: "rate" must be greater than 0'],
  ['a burst of 0', 'burst: 100', 'burst: 0', '9:46: "burst" must be greater than or equal to 1'],
  [
    'a time zone from elsewhere',
    'period: day',
    'period: day, time_zone: Mars/Olympus',
    '10:69: "Mars/Olympus" is not a time zone; an IANA name: UTC, Europe/Berlin, America/New_York',
  ],
  [
    'a day that starts at 24',
    'period: day',
    'period: day, anchor: 24',
    '10:66: a day cannot start at hour 24; an hour from 0 to 23',
  ],
  [
    'a month that starts on the 32nd',
    'period: day',
    'period: month, anchor: 32',
    '10:68: "anchor" must be less than or equal to 31',
  ],
  [
    'two limits of a name',
    'burst: 100 }',
    'burst: 100 }, { name: calls, rate: 1, burst: 1 }',
    '9:61: the limit "calls" is there twice',
  ],
  [
    'a hash that is none',
    'from_env: KEY',
    'sha256: abc',
    '12:60: the value of "sha256" does not fit; a SHA-256 is 64 lower-case hex digits: printf %s "$KEY" | sha256sum',
  ],
  [
    'a key without secret',
    ', from_env: KEY',
    '',
    '12:36: the key has no secret; "sha256": its hash in hex, or "from_env": a variable that holds it',
  ],
  [
    'a variable that is not set',
    'from_env: KEY',
    'from_env: KYE',
    '12:62: the environment has no variable KYE; export KYE=tg_...',
  ],
  [
    'a key of two tenants',
    '{ id: demo',
    '{ id: twin, plan: free, keys: [{ name: a, from_env: KEY }] }\n  - { id: demo',
    '13:62: the key is that of "a" of tenant "twin" too',
  ],
  [
    'two tenants of a name',
    '{ id: demo',
    '{ id: demo, plan: free }\n  - { id: demo',
    '13:11: "demo" is in "tenants" twice; the first is in line 12',
  ],
  [
    'a level that does not exist',
    'log_level: info',
    'log_level: inof',
    '13:25: one of trace, debug, info, warn, error, silent is expected, not "inof"; did you mean "info"?',
  ],
  [
    'less memory than the series need',
    'log_level: info',
    'metrics: { max_series: 100000, memory_mib: 8 }',
    '13:57: 100000 series need 86 MiB at least, not 8; or lower "max_series"',
  ],
  [
    'an endpoint that is no URL',
    'log_level: info',
    'otlp: { endpoint: localhost }',
    '13:32: "endpoint" is not a URL; http://127.0.0.1:4317',
  ],
  [
    'a limit with a bad name in an override',
    'backend: bookstore }',
    "backend: bookstore, policy: { a.B: { limit: 'A B' } } }",
    '6:88: "limit" must be the name of a limit in the plans, not "A B"',
  ],
  [
    'client certificates without an authority',
    'name: public,',
    'name: public, tls: { cert: package.json, key: package.json, client_auth: required },',
    '2:80: client certificates cannot be verified; name the authorities that issue them: "client_ca", a PEM file',
  ],
  ['a key that is there twice', 'name: public,', 'name: public, name: admin,', '2:21: the key is there twice'],
  ['text that is not YAML', 'name: public,', 'name: [public,', '2:70: not YAML: a "[" or "{" is not closed'],
];

test.each(WRONG)('%s has its place, and what would be right', (_, from, to, complaint) => {
  expect(GOOD).toContain(from);
  const complaints = complaintsOf(GOOD.replace(from, to)).map((text) => text.replace('tollgate.yaml:', ''));
  expect(complaints[0]).toEqual(complaint);
  expect(complaints).toHaveLength(1);
});

test('all complaints come at once, in the order of the file', () => {
  const text = GOOD.replace('127.0.0.1:7400', 'x')
    .replace('10s', '10')
    .replace('plan: free', 'plan: gold')
    .replace('log_level', 'level');
  expect(complaintsOf(text).map((complaint) => complaint.split(':')[1])).toEqual(['2', '4', '12', '13']);
});

test('an empty file lacks a listener', () => {
  for (const text of ['', '# nothing\n', '{}']) {
    expect(complaintsOf(text)).toEqual([
      expect.stringContaining('tollgate.yaml:1:1: there is no listener; listeners: [{ name: public'),
    ]);
  }
});

test('a file that is not there says so', () => {
  expect(() => loadConfig('/nowhere/tollgate.yaml', { env: {} })).toThrow(
    '/nowhere/tollgate.yaml: there is no such file; name one: serve --config FILE, check FILE',
  );
});

test('what a variable holds is never shown', () => {
  const secret = 'hunter2 hunter2 hunter2';
  const complaints = complaintsOf(GOOD, { KEY: secret });
  expect(complaints).toEqual([
    'tollgate.yaml:12:62: what KEY holds is not an API key; 22 to 256 visible characters, as in tg_<name>_<id>_<secret>',
  ]);
  expect(complaintsOf(GOOD.replace('from_env: KEY', `sha256: ${secret}`)).join()).not.toContain(secret);
});

test('any value anywhere gives complaints or a configuration, never another failure', () => {
  const sections = fc.constantFrom('listeners', 'store', 'backends', 'contracts', 'plans', 'tenants', 'telemetry');
  const keys = fc.constantFrom(
    'name',
    'id',
    'address',
    'endpoints',
    'breaker',
    'window',
    'keys',
    'quotas',
    'policy',
    'sha256',
    'tls',
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(
        fc.integer(),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.string(),
        fc.constantFrom('5s', 'day', 'a:1'),
      ),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(keys, fc.string()), tie('tree'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(sections, tree, { maxKeys: 7 }), (value) => {
      const complaints = complaintsOf(JSON.stringify(value));
      for (const complaint of complaints) expect(complaint).toMatch(/^tollgate\.yaml:\d+:\d+: ./);
    }),
    { numRuns: 150 },
  );
});
