import { readFileSync } from 'node:fs';
import { MethodPolicy } from '../../generated/tollgate/policy/v1/policy.ts';
import { buildContract, type Contract } from './contract.ts';
import type { MethodEntry, OwnLimit } from './method-entry.ts';
import { packagePath } from './package-root.ts';

/** The backend that answers the gateway's own services. */
export const CONTROL_BACKEND = 'control';

/** The gateway's admin and metrics services; shown where a listener names it. */
export const TOLLGATE_CONTRACT = 'tollgate';

/**
 * The part of `tollgate` that is for tenants themselves, for listeners that are not for administrators. It has no methods of
 * its own.
 */
export const SELF_CONTRACT = 'tollgate-self';

const CHANNELZ = 'grpc.channelz.v1.Channelz';
const ROLES = ['owner', 'admin', 'operator', 'viewer'].map((role) => `tollgate.${role}`);
const ADMIN = '/tollgate.admin.v1.';
const METRICS = '/tollgate.metrics.v1.MetricsService';
/** By `:path`: what a tenant's credential may call without a role, about its own tenant. */
export const SELF_SERVICE: ReadonlySet<string> = new Set([
  `${ADMIN}TenantService/GetTenant`,
  ...['Create', 'Get', 'Update', 'Rotate', 'Delete'].map((verb) => `${ADMIN}ApiKeyService/${verb}ApiKey`),
  `${ADMIN}ApiKeyService/ListApiKeys`,
  ...['GetMetrics', 'WatchMetrics', 'TopTenants', 'TopMethods'].map((method) => `${METRICS}/${method}`),
  `${ADMIN}UsageService/GetUsage`,
]);

/**
 * A tenant that has used up its limits wants to know it, so looking at its usage neither spends them nor is refused by them. It
 * is bounded all the same: a look asks the store about each limit and quota.
 */
const USAGE_LIMIT: OwnLimit = { name: 'tollgate.usage', rate: 2, burst: 20 };
const USAGE = `${ADMIN}UsageService/GetUsage`;

function withOwnLimit(contract: Contract): Contract {
  const methods = contract.methods.map((method) =>
    method.path === USAGE ? { ...method, policy: { ...method.policy, ownLimit: USAGE_LIMIT } } : method,
  );
  return { ...contract, methods };
}

export function isSelfService(method: MethodEntry): boolean {
  return method.contract === TOLLGATE_CONTRACT && SELF_SERVICE.has(method.path);
}

/** Contracts that every listener shows. */
export const ALWAYS_SHOWN: readonly string[] = ['health', 'reflection'];

/** Names that contracts of the configuration may not take. */
export const RESERVED_CONTRACTS: readonly string[] = [TOLLGATE_CONTRACT, SELF_CONTRACT, ...ALWAYS_SHOWN];

/** The FileDescriptorSet of the gateway's own protos, as shipped. */
export function readOwnDescriptors(): Uint8Array {
  return readFileSync(packagePath('generated/tollgate.binpb'));
}

/**
 * The gateway's own services as contracts like any other, backend `control`: `tollgate` (policy as its protos say),
 * `health` (public, for load balancers) and `reflection` (with a credential: a stranger learns nothing). Free of cost.
 */
export function builtinContracts(descriptorSet: Uint8Array = readOwnDescriptors()): Contract[] {
  const backend = CONTROL_BACKEND;
  const free = MethodPolicy.fromPartial({ cost: 0, idempotent: true });
  const open = MethodPolicy.fromPartial({ cost: 0, idempotent: true, public: true });
  const look = MethodPolicy.fromPartial({ cost: 0, idempotent: true, anyScopes: ROLES });
  return [
    withOwnLimit(
      buildContract({
        name: TOLLGATE_CONTRACT,
        backend,
        descriptorSet,
        includes: (service) => /^tollgate\.(admin|metrics)\./.test(service) || service === CHANNELZ,
        // Its proto is not ours, so its policy stands here.
        overrides: new Map([[CHANNELZ, look]]),
      }),
    ),
    buildContract({
      name: 'health',
      backend,
      descriptorSet,
      includes: (service) => service === 'grpc.health.v1.Health',
      overrides: new Map([['grpc.health.v1.Health', open]]),
    }),
    buildContract({
      name: 'reflection',
      backend,
      descriptorSet,
      includes: (service) => service.startsWith('grpc.reflection.'),
      overrides: new Map([
        ['grpc.reflection.v1.ServerReflection', free],
        ['grpc.reflection.v1alpha.ServerReflection', free],
      ]),
    }),
  ];
}
