import { expect, test } from 'vitest';
import type { Principal } from '../../src/chain/call.ts';
import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import { HeaderBlock } from '../../src/http2/index.ts';
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
