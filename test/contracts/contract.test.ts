import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { MethodPolicy } from '../../generated/tollgate/policy/v1/policy.ts';
import { bufBinary } from '../../src/contracts/buf.ts';
import { builtinContracts } from '../../src/contracts/builtin.ts';
import { formatComplaint } from '../../src/contracts/complaint.ts';
import { ContractError } from '../../src/contracts/contract-error.ts';
import { indexMethods } from '../../src/contracts/index-methods.ts';
import { loadContract } from '../../src/contracts/load.ts';
import type { PolicyLayer } from '../../src/contracts/policy.ts';
import { folderWith, SHOP } from './fixtures.ts';

function load(folder: string, overrides: Readonly<Record<string, Partial<PolicyLayer>>> = {}, name = 'shop') {
  const layers = new Map(Object.entries(overrides).map(([key, layer]) => [key, MethodPolicy.fromPartial(layer)]));
  return loadContract({
    name,
    backend: 'b',
    source: { kind: 'protos', path: folder, shown: './protos' },
    overrides: layers,
  });
}

async function complaintsOf(work: Promise<unknown>): Promise<string[]> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ContractError)) throw error ?? new Error('it loaded');
  return error.problems.map(({ at, complaint }) => `${at.join(' ')} | ${formatComplaint(complaint)}`);
}

const DEFAULTS = {
  requiredScopes: [],
  anyScopes: [],
  cost: 1,
  maxDeadlineMs: undefined,
  idempotent: false,
  limit: undefined,
  public: false,
};

test('policy is taken from the method, then the service, then the defaults, for each call kind', async () => {
  const contract = await load(folderWith({ 'shop/v1/shop.proto': SHOP }));
  expect(contract.methods).toEqual(
    [
      { method: 'Shop/Inherits', kind: 'unary', policy: { requiredScopes: ['shop'], cost: 3, maxDeadlineMs: 30_000 } },
      {
        method: 'Shop/Says',
        kind: 'client_stream',
        policy: { requiredScopes: ['a', 'b'], cost: 0, maxDeadlineMs: 2, idempotent: true, limit: 'slow' },
      },
      { method: 'Shop/Open', kind: 'server_stream', policy: { cost: 3, maxDeadlineMs: 30_000, public: true } },
      {
        method: 'Shop/Both',
        kind: 'bidi_stream',
        policy: { requiredScopes: ['shop'], cost: 7, maxDeadlineMs: 30_000 },
      },
      { method: 'Plain/Do', kind: 'unary', policy: {} },
    ].map(({ method, kind, policy }) => ({
      path: `/shop.v1.${method}`,
      name: `shop.v1.${method}`,
      contract: 'shop',
      backend: 'b',
      kind,
      policy: { ...DEFAULTS, ...policy },
    })),
  );
});

test('the configuration wins over the contract, a method over its service', async () => {
  const contract = await load(folderWith({ 'shop.proto': SHOP }), {
    'shop.v1.Shop': { cost: 10, idempotent: true },
    'shop.v1.Shop/Says': { cost: 20, requiredScopes: ['c'], maxDeadline: { seconds: 1, nanos: 0 } },
  });
  const policies = new Map(contract.methods.map((method) => [method.name.replace('shop.v1.', ''), method.policy]));
  expect(policies.get('Shop/Inherits')).toMatchObject({ cost: 10, idempotent: true, requiredScopes: ['shop'] });
  expect(policies.get('Shop/Says')).toMatchObject({
    cost: 20,
    requiredScopes: ['c'],
    maxDeadlineMs: 1000,
    limit: 'slow',
  });
  expect(policies.get('Shop/Both')).toMatchObject({ cost: 10 });
  expect(policies.get('Plain/Do')).toEqual(DEFAULTS);
});

test('a descriptor set gives the same methods as the protos that it was made from', async () => {
  const folder = folderWith({ 'shop.proto': SHOP });
  const fromProtos = await load(folder);
  const work = folderWith({
    'buf.yaml': 'version: v2\nmodules:\n  - path: user\n  - path: proto\n',
    'user/shop.proto': SHOP,
  });
  execFileSync('cp', ['-r', resolve(import.meta.dirname, '../../proto'), work]);
  execFileSync(bufBinary(), ['build', 'user', '-o', 'shop.binpb'], { cwd: work });
  const path = join(work, 'shop.binpb');
  const fromSet = await loadContract({
    name: 'shop',
    backend: 'b',
    source: { kind: 'descriptor_set', path, shown: path },
  });
  expect(fromSet.methods).toEqual(fromProtos.methods);
});

test('an override that names nothing is refused, with what was probably meant', async () => {
  const folder = folderWith({ 'shop.proto': SHOP });
  expect(await complaintsOf(load(folder, { 'shop.v1.Shop/Inherit': {}, 'x.Y': {} }))).toEqual([
    'policy shop.v1.Shop/Inherit | the contract has no method or service "shop.v1.Shop/Inherit"; did you mean "shop.v1.Shop/Inherits"?',
    expect.stringContaining('policy x.Y | the contract has no method or service "x.Y"; it has shop.v1.Shop, '),
  ]);
});

test('scopes demanded of a public method are refused: they would protect nothing', async () => {
  const folder = folderWith({ 'shop.proto': SHOP });
  expect(await complaintsOf(load(folder, { 'shop.v1.Shop/Open': { requiredScopes: ['x'] } }))).toEqual([
    'policy shop.v1.Shop/Open | policy of shop.v1.Shop/Open: the method is public and requires scopes: drop "required_scopes" or "public"',
  ]);
});

test('a faulty policy in the contract is refused', async () => {
  const folder = folderWith({
    'a.proto': SHOP.replace('cost: 7', 'max_deadline: { seconds: -1 } limit: "No Good" required_scopes: [""]'),
  });
  expect(await complaintsOf(load(folder))).toEqual([
    'source | policy of shop.v1.Shop/Both: "max_deadline" must be longer than 0',
    'source | policy of shop.v1.Shop/Both: "limit" must be the name of a limit in the plans, not "No Good"',
    'source | policy of shop.v1.Shop/Both: "" in "required_scopes" is not a scope: no blanks, not empty',
  ]);
});

test('faults in a proto have file, line and column below the folder as it was named', async () => {
  const folder = folderWith({
    'shop/a.proto': 'syntax = "proto3";\npackage a;\nmessage A { strng x = 1; }\n',
    'b.proto': 'syntax = "proto3";\npackage b;\nimport "nowhere.proto";\n',
  });
  expect((await complaintsOf(load(folder))).sort()).toEqual([
    expect.stringMatching(
      /^source \| protos\/b\.proto:3:1: imported file does not exist; imports are relative to the contract's folder/,
    ),
    'source | protos/shop/a.proto:3:13: cannot find `strng` in this scope',
  ]);
});

test('a folder without protos, a missing one, an unreadable descriptor set and a contract without services say so', async () => {
  expect(await complaintsOf(load(folderWith({ 'x.txt': '' })))).toEqual([
    'source | ./protos: there are no .proto files in the folder; name the folder that imports are relative to',
  ]);
  expect(await complaintsOf(load('/nowhere/at/all'))).toEqual([
    expect.stringContaining('./protos: cannot read the folder (ENOENT'),
  ]);
  expect(await complaintsOf(load(folderWith({ 'm.proto': 'syntax = "proto3";\npackage m;\nmessage M {}\n' })))).toEqual(
    ['source | there is no service in the contract'],
  );
  const path = join(folderWith({}), 'x.binpb');
  writeFileSync(path, 'not a descriptor set');
  const source = { kind: 'descriptor_set', path, shown: 'x.binpb' } as const;
  expect(await complaintsOf(loadContract({ name: 'x', backend: 'b', source }))).toEqual([
    expect.stringContaining('it is not a complete FileDescriptorSet'),
  ]);
});

test('a copy of our policy proto in the folder is taken instead of ours, and a buf.yaml there is not in the way', async () => {
  const policy = execFileSync('cat', [resolve(import.meta.dirname, '../../proto/tollgate/policy/v1/policy.proto')], {
    encoding: 'utf8',
  });
  const folder = folderWith({ 'tollgate/policy/v1/policy.proto': policy, 'shop.proto': SHOP, 'buf.yaml': 'nonsense' });
  expect((await load(folder)).methods).toHaveLength(5);
});

test('health and reflection in a contract are left to the gateway', async () => {
  const health =
    'syntax = "proto3";\npackage grpc.health.v1;\nmessage M {}\nservice Health { rpc Check(M) returns (M); }\n';
  const contract = await load(folderWith({ 'shop.proto': SHOP, 'grpc/health/v1/health.proto': health }));
  expect(contract.methods.map((method) => method.name).filter((name) => name.startsWith('grpc.'))).toEqual([]);
});

test('a method of another contract is refused', async () => {
  const folder = folderWith({ 'shop.proto': SHOP.replace(/service Shop[\s\S]*?\n}\n/, '') });
  const contracts = [await load(folder), await load(folder, {}, 'twin')];
  expect(() => indexMethods(contracts)).toThrow('contract twin: shop.v1.Plain/Do is in contract "shop" already');
});

test('the gateway’s own services are contracts: admin needs its scopes, metrics a credential, health is public, reflection is not', () => {
  const methods = indexMethods(builtinContracts());
  const policy = (path: string) => methods.get(path)?.policy;
  expect(policy('/tollgate.admin.v1.TenantService/CreateTenant')).toEqual({
    ...DEFAULTS,
    cost: 0,
    anyScopes: ['tollgate.owner', 'tollgate.admin', 'tollgate.operator'],
  });
  expect(policy('/tollgate.metrics.v1.MetricsService/GetMetrics')).toEqual({ ...DEFAULTS, cost: 0 });
  expect(policy('/grpc.health.v1.Health/Check')).toMatchObject({ public: true, cost: 0 });
  expect(methods.get('/grpc.health.v1.Health/Watch')?.kind).toBe('server_stream');
  for (const version of ['v1', 'v1alpha']) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    expect(methods.get(path)).toMatchObject({
      kind: 'bidi_stream',
      backend: 'control',
      policy: { public: false, requiredScopes: [] },
    });
  }
  expect(new Set([...methods.values()].map((method) => method.backend))).toEqual(new Set(['control']));
});
