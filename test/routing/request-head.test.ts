import { describe, expect, test } from 'vitest';
import type { Principal } from '../../src/chain/call.ts';
import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import { type Field, HeaderBlock } from '../../src/http2/index.ts';
import { callerFields } from '../../src/routing/field-memos.ts';
import { HEADER_NAMES } from '../../src/routing/header-names.ts';
import { readRequestHead } from '../../src/routing/request-head.ts';

const METHOD: MethodEntry = {
  path: '/a.B/C',
  name: 'a.B/C',
  contract: 'a',
  backend: 'a',
  kind: 'unary',
  policy: {
    requiredScopes: [],
    anyScopes: [],
    cost: 1,
    maxDeadlineMs: undefined,
    idempotent: false,
    limit: undefined,
    public: false,
  },
};
const METHODS = new Map([[METHOD.path, METHOD]]);
const PRINCIPAL: Principal = { id: 'key1', tenantId: 'acme', scopes: new Set() };
const POST = HEADER_NAMES.field(':method', 'POST');
const BASE: [string, string][] = [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':path', '/a.B/C'],
  [':authority', 'api.example'],
  ['te', 'trailers'],
  ['content-type', 'application/grpc+proto'],
];

function block(...more: [string, string][]): HeaderBlock {
  return new HeaderBlock([...BASE, ...more].map(([name, value]) => HEADER_NAMES.field(name, value)));
}

function forwarded(request: HeaderBlock, principal: Principal | undefined = PRINCIPAL): [string, string][] {
  const head = readRequestHead(request, METHODS);
  return head.callerBlock(principal, false, []).fields.map((field) => [field.name, field.value]);
}

test('metadata is passed on as it came, behind what the gateway sets', () => {
  expect(forwarded(block(['user-agent', 'grpc-go/1.8'], ['m-bin', 'AAE'], ['m', '1'], ['m', '2']))).toEqual([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/a.B/C'],
    [':authority', 'api.example'],
    ['te', 'trailers'],
    ['x-tenant-id', 'acme'],
    ['x-principal-id', 'key1'],
    ['content-type', 'application/grpc+proto'],
    ['user-agent', 'grpc-go/1.8'],
    ['m-bin', 'AAE'],
    ['m', '1'],
    ['m', '2'],
  ]);
});

test.each([
  'authorization',
  'x-api-key',
  'x-tenant-id',
  'x-principal-id',
  'x-request-id',
  'x-tollgate-contracts',
  'x-tollgate-anything',
  'x-tollgate-anything-bin',
  'x_tollgate_contracts',
  'x_tenant_id',
  'x-tenant_id',
  'x-tenant-id-bin',
  'x_principal_id',
  'x_request_id',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'host',
  'grpc-timeout',
  'grpc-status',
])('%s of a client never reaches a backend', (name) => {
  const fields = forwarded(block([name, '1S-forged']));
  expect(fields.filter(([, value]) => value === '1S-forged')).toEqual([]);
});

test.each<[[string, string][], string]>([
  [[['authorization', 'Bearer tg_a_b_c']], 'tg_a_b_c'],
  [[['authorization', 'bearer  tg_a_b_c']], 'tg_a_b_c'],
  [[['x-api-key', 'tg_a_b_c']], 'tg_a_b_c'],
  [[['authorization', 'Basic dGc=']], ''],
  [[['authorization', 'tg_a_b_c']], ''],
  [
    [
      ['authorization', 'Bearer tg_a_b_c'],
      ['x-api-key', 'tg_a_b_c'],
    ],
    '',
  ],
  [
    [
      ['x-api-key', 'tg_a_b_c'],
      ['x-api-key', 'tg_a_b_c'],
    ],
    '',
  ],
  [[], ''],
])('the credential of %j is %j', (headers, text) => {
  expect(readRequestHead(block(...headers), METHODS).credential.text).toBe(text);
});

test('a block is read once, and again when the contracts have changed', () => {
  const request = block();
  const head = readRequestHead(request, METHODS);
  expect(readRequestHead(request, METHODS)).toBe(head);
  const other = new Map<string, MethodEntry>();
  expect(readRequestHead(request, other).method).toBeUndefined();
  expect(head.method).toBe(METHOD);
});

test('a block that comes again is forwarded as the same object for the same principal, and never as that of another', () => {
  const head = readRequestHead(block(), METHODS);
  expect([head.repeats(), head.repeats(), head.repeats()]).toEqual([false, true, true]);
  const first = head.callerBlock(PRINCIPAL, false, []);
  expect(head.callerBlock(PRINCIPAL, false, [])).toBe(first);
  const other = head.callerBlock({ ...PRINCIPAL, tenantId: 'other' }, false, []);
  expect(other.get('x-tenant-id')).toBe('other');
});

test('blocks that differ in their deadline and their caller alone are forwarded as one block', () => {
  const same = BASE.map(([name, value]) => HEADER_NAMES.field(name, value));
  const token = HEADER_NAMES.field('authorization', 'Bearer tg_a_b_c');
  const other = HEADER_NAMES.field('authorization', 'Bearer tg_d_e_f');
  const differing = [
    [token, HEADER_NAMES.field('grpc-timeout', '1S')],
    [token, HEADER_NAMES.field('grpc-timeout', '2S')],
    [other],
  ];
  const forwards = differing.map((fields) => {
    const head = readRequestHead(new HeaderBlock([...same, ...fields]), METHODS);
    return { head, sent: head.sharedBlock(false) };
  });
  const heads = forwards.map(({ head }) => head);
  const [first, second, third] = forwards.map(({ sent }) => sent);
  expect(heads.map((head) => head.timeoutMs)).toEqual([1000, 2000, undefined]);
  expect(second).toBe(first);
  expect(third).toBe(first);
  expect(first!.get('x-tenant-id')).toBeUndefined();
  expect(heads[1]!.credential).toBe(heads[0]!.credential);
  expect(heads[2]!.credential).not.toBe(heads[0]!.credential);
});

test('who calls is told in the same two fields for the same principal', () => {
  const fields = callerFields(PRINCIPAL);
  expect(fields.map(({ name, value }) => [name, value])).toEqual([
    ['x-tenant-id', 'acme'],
    ['x-principal-id', 'key1'],
  ]);
  expect(callerFields(PRINCIPAL)).toBe(fields);
  expect(callerFields({ ...PRINCIPAL, tenantId: 'other' })[0].value).toBe('other');
});

test.each([
  ['its own', [':authority', 'a.example'], ['host', 'b.example'], 'a.example'],
  ['that of `host`', ['host', 'b.example:8080'], ['m', '1'], 'b.example:8080'],
  ['one of the gateway when it has neither', ['m', '1'], ['n', '2'], 'localhost'],
  ['one of the gateway when `host` is none', ['host', 'a b'], ['n', '2'], 'localhost'],
] as const)('a request is forwarded with an authority: %s', (_what, one, other, expected) => {
  const fields = [...BASE.filter(([name]) => name !== ':authority'), one, other];
  const sent = forwarded(new HeaderBlock(fields.map(([name, value]) => HEADER_NAMES.field(name, value))));
  expect(sent.filter(([name]) => name === ':authority' || name === 'host')).toEqual([[':authority', expected]]);
});

test('a block with other metadata, another authority or scheme is forwarded as one of its own', () => {
  const path = HEADER_NAMES.field(':path', METHOD.path);
  const authority = HEADER_NAMES.field(':authority', 'api.example');
  const [type, one, two] = [
    ['content-type', 'application/grpc'],
    ['m', '1'],
    ['m', '2'],
  ].map(([name, value]) => HEADER_NAMES.field(name!, value!));
  const forward = (fields: readonly Field[], secure = false) =>
    readRequestHead(new HeaderBlock([POST, path, ...fields]), METHODS).sharedBlock(secure);
  const namesAndValues = (sent: HeaderBlock) => sent.fields.map(({ name, value }) => `${name}: ${value}`);
  const lists = [
    [authority, type!, one!, two!],
    [authority, type!, one!],
    [authority, type!, two!, one!],
    [authority, type!],
    [authority],
    [],
    [authority, type!, one!, one!],
    [HEADER_NAMES.field(':authority', 'b.example'), type!, one!, one!],
  ];
  // Each behind each: what is known of the one before must not show in the next.
  for (const before of lists) {
    for (const fields of lists) {
      forward(before);
      const metadata = fields.filter(({ name }) => name !== ':authority').map(({ name, value }) => `${name}: ${value}`);
      const place = fields.find(({ name }) => name === ':authority');
      expect(namesAndValues(forward(fields))).toEqual([
        ':method: POST',
        ':scheme: http',
        `:path: ${METHOD.path}`,
        `:authority: ${place?.value ?? 'localhost'}`,
        'te: trailers',
        ...metadata,
      ]);
    }
  }
  expect(namesAndValues(forward([authority], true))).toContain(':scheme: https');
  expect(forward([authority], true)).toBe(forward([authority], true));
});

describe('over connections of many clients', () => {
  const METHODS_HERE = new Map([[METHOD.path, { ...METHOD }]]);
  /** As a connection's decoder makes it: the path is a field of its own. */
  const forward = (...more: [string, string][]) => readRequestHead(block(...more), METHODS_HERE).sharedBlock(false);

  test('requests of one method that differ in their caller alone are forwarded as one block', () => {
    const first = forward(['user-agent', 'grpc-go/1.8'], ['authorization', 'Bearer a']);
    expect(forward(['user-agent', 'grpc-go/1.8'], ['authorization', 'Bearer b'])).toBe(first);
    expect(forward(['user-agent', 'grpc-node/1.8']).get('user-agent')).toBe('grpc-node/1.8');
  });

  test('metadata that only one of them sends is passed on for that one, and the others share theirs as before', () => {
    const shared = forward(['user-agent', 'grpc-go/1.8']);
    expect(forward(['user-agent', 'grpc-go/1.8'], ['session', 'secret of one']).get('session')).toBe('secret of one');
    const other = forward(['user-agent', 'grpc-go/1.8']);
    expect(other).toBe(shared);
    expect(other.get('session')).toBeUndefined();
  });
});
