import { expect, test } from 'vitest';
import type { Principal } from '../../src/chain/call.ts';
import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import { type Field, HeaderBlock } from '../../src/http2/index.ts';
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
  return head.forwardBlock(principal, false, []).fields.map((field) => [field.name, field.value]);
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

test('the forwarded block is the same object for the same principal, and never that of another', () => {
  const head = readRequestHead(block(), METHODS);
  const first = head.forwardBlock(PRINCIPAL, false, []);
  expect(head.forwardBlock(PRINCIPAL, false, [])).toBe(first);
  const other = head.forwardBlock({ ...PRINCIPAL, tenantId: 'other' }, false, []);
  expect(other.get('x-tenant-id')).toBe('other');
});

test('blocks that differ in their deadline alone are forwarded as one block, with one credential', () => {
  const same = [...BASE, ['authorization', 'Bearer tg_a_b_c'] as [string, string]].map(([name, value]) =>
    HEADER_NAMES.field(name, value),
  );
  const heads = ['1S', '2S'].map((timeout) =>
    readRequestHead(new HeaderBlock([...same, HEADER_NAMES.field('grpc-timeout', timeout)]), METHODS),
  );
  const [first, second] = heads.map((head) => head.forwardBlock(PRINCIPAL, false, []));
  expect(heads.map((head) => head.timeoutMs)).toEqual([1000, 2000]);
  expect(second).toBe(first);
  expect(heads[1]!.credential).toBe(heads[0]!.credential);
});

test('a block with other metadata, another authority or another principal is forwarded as one of its own', () => {
  const path = HEADER_NAMES.field(':path', METHOD.path);
  const rest = BASE.filter(([name]) => name !== ':path').map(([name, value]) => HEADER_NAMES.field(name, value));
  const forward = (fields: readonly Field[], principal: Principal) =>
    readRequestHead(new HeaderBlock([path, ...fields]), METHODS).forwardBlock(principal, false, []);
  const plain = forward(rest, PRINCIPAL);
  expect(forward(rest, PRINCIPAL)).toBe(plain);
  expect(forward([...rest, HEADER_NAMES.field('m', '1')], PRINCIPAL).get('m')).toBe('1');
  expect(forward(rest, { ...PRINCIPAL, tenantId: 'other' }).get('x-tenant-id')).toBe('other');
  const elsewhere = rest.map((f) => (f.name === ':authority' ? HEADER_NAMES.field(':authority', 'b.example') : f));
  expect(forward(elsewhere, PRINCIPAL).get(':authority')).toBe('b.example');
});
