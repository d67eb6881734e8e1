import { Metadata } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { builtinContracts } from '../../src/contracts/builtin.ts';
import { createVisibleContracts, type IsAllowed } from '../../src/control/visible-contracts.ts';

const CONTRACTS = new Map(builtinContracts().map((contract) => [contract.name, contract]));

function visible(isAllowed: IsAllowed | undefined, tenantId = 'demo') {
  const metadata = new Metadata();
  metadata.set('x-tollgate-contracts', 'tollgate');
  metadata.set('x-tenant-id', tenantId);
  return createVisibleContracts(CONTRACTS, isAllowed)(metadata);
}
const services = (...args: Parameters<typeof visible>) => visible(...args).flatMap((index) => index.services);
const ALL = services(undefined);

test('a tenant sees the services of which it may call something, and the others not by any name', () => {
  const only = (tenantId: string, { name, contract }: { name: string; contract: string }) =>
    contract !== 'tollgate' || (tenantId === 'demo' && name.endsWith('/ListPlans'));
  expect(services(only)).toEqual([
    ...ALL.filter((name) => /^grpc\.(health|reflection)\./.test(name)),
    'tollgate.admin.v1.PlanService',
  ]);
  const symbols = new Set(visible(only).flatMap((index) => [...index.symbols.keys()]));
  expect(symbols).toContain('tollgate.admin.v1.PlanService');
  expect(symbols).toContain('tollgate.admin.v1.RateLimit');
  expect(symbols).not.toContain('tollgate.admin.v1.TenantService');
  expect(symbols).not.toContain('tollgate.admin.v1.Tenant');
});

test('another tenant sees another choice, and one without a list sees everything', () => {
  const demoOnly: IsAllowed = (tenantId, { name }) => tenantId !== 'demo' || name.endsWith('/ListPlans');
  expect(services(demoOnly, 'demo')).toEqual(['tollgate.admin.v1.PlanService']);
  expect(services(demoOnly, 'other')).toEqual(ALL);
});

test('a contract is indexed once for all who are allowed the same', () => {
  const see = createVisibleContracts(CONTRACTS, (_, { name }) => name.endsWith('/ListPlans'));
  const by = (tenantId: string) => {
    const metadata = new Metadata();
    metadata.set('x-tollgate-contracts', 'tollgate');
    metadata.set('x-tenant-id', tenantId);
    return see(metadata);
  };
  expect(by('one')[0]).toBe(by('two')[0]);
});
