import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseConfig } from '../../src/config/load.ts';
import { formatComplaint } from '../../src/contracts/complaint.ts';

const SET = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}';
const ISSUER = "issuer: 'https://login.test/', audiences: [shop], discovery: true";

/** A configuration that is all right; each test spoils it. */
const GOOD = `listeners:
  - { name: public, address: 127.0.0.1:7400, tls: { cert: a.pem, key: a.pem, client_ca: a.pem } }
plans: [{ name: free }]
tenants:
  - id: one
    plan: free
    issuers: [{ ${ISSUER} }]
    client_certificates: [{ name: web, uri: 'spiffe://one.test/web' }]
  - id: two
    plan: free
authentication: { jwks_refresh: 5m, failures: { exempt: [10.0.0.0/8] } }
`;

const baseDir = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
afterAll(() => rmSync(baseDir, { recursive: true }));
for (const [name, text] of Object.entries({
  'a.pem': '',
  'keys.json': SET,
  'no.json': 'no',
  'private.json': SET.replace('"x"', '"d": "c2VjcmV0", "x"'),
  'secret.json': '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
})) {
  writeFileSync(join(baseDir, name), text);
}

function complaintsOf(text: string): string[] {
  try {
    parseConfig(text, 'tollgate.yaml', { env: {}, baseDir });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.complaints.map(formatComplaint).map((complaint) => complaint.replace('tollgate.yaml:', ''));
  }
}

test('issuers in each of their forms give no complaint', () => {
  expect(complaintsOf(GOOD)).toEqual([]);
  for (const keys of [
    'jwks_url: https://login.test/keys',
    'jwks_url: http://127.0.0.1:8080/keys',
    'jwks_file: keys.json',
    `jwks: '${SET}'`,
  ]) {
    expect([keys, complaintsOf(GOOD.replace('discovery: true', keys))]).toEqual([keys, []]);
  }
  const allowed = GOOD.replace('jwks_refresh: 5m', 'http_hosts: [keys.internal]');
  expect(complaintsOf(allowed.replace('discovery: true', 'jwks_url: http://keys.internal/'))).toEqual([]);
});

const ALGORITHMS = 'RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519';

const WRONG: readonly (readonly [what: string, from: string, to: string, complaint: string])[] = [
  [
    'an issuer without a name',
    "issuer: 'https://login.test/', ",
    'name: login, ',
    '7:15: "issuer" is missing; exactly what tokens say in "iss": https://login.example.com/',
  ],
  [
    'an issuer without audiences',
    'audiences: [shop], ',
    '',
    '7:15: tokens that are meant for others would be accepted; name what tokens for this gateway have in "aud"',
  ],
  [
    'an issuer without keys',
    ', discovery: true',
    '',
    '7:15: there are no keys to verify tokens with; "discovery: true", "jwks_url", "jwks_file" or "jwks"',
  ],
  [
    'keys from two places',
    'discovery: true',
    'discovery: true, jwks_url: https://a.test/',
    '7:94: "jwks_url" and "discovery" exclude each other; keep one of them',
  ],
  [
    'keys over http',
    'discovery: true',
    'jwks_url: http://keys.test/',
    '7:77: keys that come over http can be replaced on their way by anybody; https, or name keys.test in authentication.http_hosts',
  ],
  [
    'keys from a file on a server',
    'discovery: true',
    "jwks_url: 'file:///etc/passwd'",
    '7:77: "file:///etc/passwd" is no URL that keys could be fetched from; https://login.example.com/keys',
  ],
  [
    'discovery at an issuer that is no URL',
    "'https://login.test/'",
    'joe',
    '7:25: "joe" is no URL that keys could be fetched from; https://login.example.com/keys, or "jwks_url" instead of "discovery"',
  ],
  [
    'a URL with a password',
    'discovery: true',
    'jwks_url: https://user:hunter2@keys.test/',
    '7:77: a URL of keys has no password in it; https://login.example.com/keys',
  ],
  ['a key set that is no JSON', 'discovery: true', 'jwks_file: no.json', '7:78: "no.json" is not JSON'],
  [
    'a private key',
    'discovery: true',
    'jwks_file: private.json',
    '7:78: "private.json" has a private key (key 0): give the public half, and regard this one as known to others',
  ],
  [
    'a shared secret',
    'discovery: true',
    'jwks_file: secret.json',
    '7:78: "secret.json" has a shared secret (key 0): who verifies with it could sign too',
  ],
  [
    'a key set that is not there',
    'discovery: true',
    'jwks_file: gone.json',
    `7:78: the file "gone.json" is not there; relative paths start at ${baseDir}`,
  ],
  [
    'an algorithm with a shared secret',
    'discovery: true',
    'discovery: true, algorithms: [HS256]',
    `7:97: HS256 is a shared secret: who verifies with it could sign too; one of ${ALGORITHMS}`,
  ],
  [
    'no signature',
    'discovery: true',
    'discovery: true, algorithms: [none]',
    `7:97: tokens without a signature are anybody's; one of ${ALGORITHMS}`,
  ],
  [
    'an unknown algorithm',
    'discovery: true',
    'discovery: true, algorithms: [RS256, rs256]',
    `7:104: "rs256" is no algorithm that tokens can have here; one of ${ALGORITHMS}`,
  ],
  [
    'scopes that administer the gateway',
    'discovery: true',
    'discovery: true, allowed_scopes: [tollgate.owner]',
    '7:101: "tollgate.owner" administers the gateway; only the admin tenant can give it',
  ],
  [
    'a value for no claim',
    'discovery: true',
    'discovery: true, tenant_value: x',
    '7:98: there is no "tenant_claim" that could have this value; name the claim',
  ],
  [
    'a clock that is far off',
    'discovery: true',
    'discovery: true, clock_tolerance: 1h',
    '7:101: the duration must be at most 300s',
  ],
  [
    'an issuer of two tenants',
    'id: two\n    plan: free',
    `id: two\n    plan: free\n    issuers: [{ ${ISSUER} }]`,
    '7:15: the issuer "https://login.test/" is that of tenant "two" too: whose a token is could not be told; give each a "tenant_claim", and the "tenant_value" that means it',
  ],
  [
    'an issuer of two tenants that only one tells apart',
    'id: two\n    plan: free',
    `id: two\n    plan: free\n    issuers: [{ ${ISSUER}, tenant_claim: org }]`,
    '7:15: other tenants have the issuer "https://login.test/" with another tenant_claim, or without one; give all tenants that have it the same "tenant_claim"',
  ],
  [
    'two issuers of a name',
    'discovery: true }',
    "discovery: true }, { issuer: 'https://login.test/other', audiences: [a], discovery: true }",
    '7:86: two issuers of the tenant are "login.test": their callers could not be told apart; give each a "name" of its own',
  ],
  [
    'the name of certificates for an issuer',
    'discovery: true',
    'name: x509, discovery: true',
    '7:73: "x509" is for client certificates; another',
  ],
  [
    'a certificate without a name to know it by',
    ", uri: 'spiffe://one.test/web'",
    '',
    '8:27: the certificate has no name to know it by; "uri": spiffe://..., or "dns": web.example.com',
  ],
  [
    'a certificate for many hosts',
    "uri: 'spiffe://one.test/web'",
    "dns: '*.one.test'",
    '8:45: "*.one.test" is no name of a host; one host: names are compared exactly',
  ],
  [
    'a certificate of two tenants',
    'id: two\n    plan: free',
    "id: two\n    plan: free\n    client_certificates: [{ name: w, uri: 'spiffe://one.test/web' }]",
    '8:27: the name "spiffe://one.test/web" is that of "w" of tenant "two" too; a name speaks for one tenant, once',
  ],
  [
    'certificates that nobody asks for',
    ', client_ca: a.pem',
    '',
    '8:26: no listener asks clients for certificates; name the authorities that issue them: "client_ca" in the "tls" of a listener',
  ],
  [
    'key sets that age out too early',
    'jwks_refresh: 5m',
    'jwks_max_age: 1m',
    '11:33: key sets would age out before they are fetched anew; the default of "jwks_refresh" is 5m',
  ],
  [
    'a network that is none',
    '10.0.0.0/8',
    '10.0.0.0/33',
    '11:58: "10.0.0.0/33" is no network; 10.0.0.0/8, 192.0.2.1, 2001:db8::/48',
  ],
];

test.each(WRONG)('%s has its place, and what would be right', (_, from, to, complaint) => {
  expect(GOOD).toContain(from);
  expect(complaintsOf(GOOD.replace(from, to))[0]).toEqual(complaint);
});

test('what docs/authentication.md shows is all right', () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/authentication.md'), 'utf8');
  const [, example = ''] = /```yaml\n(tenants:[\s\S]*?)```/.exec(document) ?? [];
  expect(example).toContain('discovery: true');
  expect(complaintsOf(`listeners: [{ name: a, address: 'h:1' }]\nplans: [{ name: free }]\n${example}`)).toEqual([]);
});

test('what a key set holds is never shown', () => {
  for (const file of ['private.json', 'secret.json']) {
    expect(complaintsOf(GOOD.replace('discovery: true', `jwks_file: ${file}`)).join()).not.toContain('c2VjcmV0');
  }
  expect(complaintsOf(GOOD.replace('discovery: true', 'jwks_url: https://u:hunter2@a.test/')).join()).not.toContain(
    'hunter2',
  );
});

test('several tenants may share an issuer whose tokens say whose they are', () => {
  const shared = GOOD.replace(ISSUER, `${ISSUER}, tenant_claim: org`).replace(
    'id: two\n    plan: free',
    `id: two\n    plan: free\n    issuers: [{ ${ISSUER}, tenant_claim: org, tenant_value: second }]`,
  );
  expect(complaintsOf(shared)).toEqual([]);
  expect(complaintsOf(shared.replace('tenant_value: second', 'tenant_value: one'))).toHaveLength(2);
});
