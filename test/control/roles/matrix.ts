import * as keys from '../../../generated/tollgate/admin/v1/api_key.ts';
import { GetApiKeyRequest, ListApiKeysRequest } from '../../../generated/tollgate/admin/v1/api_key.ts';
import { GetTenantRequest } from '../../../generated/tollgate/admin/v1/tenant.ts';
import { GetUsageRequest } from '../../../generated/tollgate/admin/v1/usage.ts';
import * as metrics from '../../../generated/tollgate/metrics/v1/metrics.ts';
import type { CallerName } from './callers.ts';

/** What tests know of the world that they call: tenant `alpha` is the caller's own, these keys are of it and of another. */
export interface Named {
  readonly tenant: string;
  readonly key: string;
}

export interface Row {
  /** Who may call it at all. */
  readonly callers: readonly CallerName[];
  /** Of a method for tenants themselves: a request that names a tenant, or a key. */
  readonly self?: (named: Named) => Uint8Array;
  /** Of one whose request names none. */
  readonly selfOnly?: boolean;
}

const OWNERS: readonly CallerName[] = ['owner', 'admin'];
const OPERATORS: readonly CallerName[] = [...OWNERS, 'operator'];
const ALL_ROLES: readonly CallerName[] = [...OPERATORS, 'viewer'];
const look: Row = { callers: ALL_ROLES };
const work: Row = { callers: OPERATORS };
const own: Row = { callers: OWNERS };

const metricsOf = (tenantId: string) => metrics.GetMetricsRequest.fromPartial({ tenantId });

/** A line for every method of the gateway's own contract: a method without one fails the test. */
export const MATRIX: Readonly<Record<string, Row>> = {
  'tollgate.admin.v1.TenantService/CreateTenant': work,
  'tollgate.admin.v1.TenantService/GetTenant': {
    callers: [...ALL_ROLES, 'tenant', 'tenant_keys'],
    self: ({ tenant }) => GetTenantRequest.encode({ id: tenant }).finish(),
  },
  'tollgate.admin.v1.TenantService/ListTenants': look,
  'tollgate.admin.v1.TenantService/UpdateTenant': work,
  'tollgate.admin.v1.TenantService/DeleteTenant': work,
  'tollgate.admin.v1.PlanService/CreatePlan': work,
  'tollgate.admin.v1.PlanService/GetPlan': look,
  'tollgate.admin.v1.PlanService/ListPlans': look,
  'tollgate.admin.v1.PlanService/UpdatePlan': work,
  'tollgate.admin.v1.PlanService/DeletePlan': work,
  'tollgate.admin.v1.BackendService/CreateBackend': work,
  'tollgate.admin.v1.BackendService/GetBackend': look,
  'tollgate.admin.v1.BackendService/ListBackends': look,
  'tollgate.admin.v1.BackendService/UpdateBackend': work,
  'tollgate.admin.v1.BackendService/DeleteBackend': work,
  'tollgate.admin.v1.ContractService/CreateContract': work,
  'tollgate.admin.v1.ContractService/GetContract': look,
  'tollgate.admin.v1.ContractService/ListContracts': look,
  'tollgate.admin.v1.ContractService/UpdateContract': work,
  'tollgate.admin.v1.ContractService/DeleteContract': work,
  'tollgate.admin.v1.ApiKeyService/CreateApiKey': {
    callers: [...OPERATORS, 'tenant_keys'],
    self: ({ tenant }) =>
      keys.CreateApiKeyRequest.encode(
        keys.CreateApiKeyRequest.fromPartial({ tenantId: tenant, apiKey: { name: 'mine', scopes: ['books.read'] } }),
      ).finish(),
  },
  'tollgate.admin.v1.ApiKeyService/GetApiKey': {
    callers: [...ALL_ROLES, 'tenant_keys'],
    self: ({ key }) => GetApiKeyRequest.encode({ id: key }).finish(),
  },
  'tollgate.admin.v1.ApiKeyService/ListApiKeys': {
    callers: [...ALL_ROLES, 'tenant_keys'],
    self: ({ tenant }) => ListApiKeysRequest.encode(ListApiKeysRequest.fromPartial({ tenantId: tenant })).finish(),
  },
  'tollgate.admin.v1.ApiKeyService/UpdateApiKey': {
    callers: [...OPERATORS, 'tenant_keys'],
    self: ({ key }) =>
      keys.UpdateApiKeyRequest.encode(
        keys.UpdateApiKeyRequest.fromPartial({ apiKey: { id: key, name: 'renamed' }, updateMask: ['name'] }),
      ).finish(),
  },
  'tollgate.admin.v1.ApiKeyService/RotateApiKey': {
    callers: [...OPERATORS, 'tenant_keys'],
    self: ({ key }) => keys.RotateApiKeyRequest.encode(keys.RotateApiKeyRequest.fromPartial({ id: key })).finish(),
  },
  'tollgate.admin.v1.ApiKeyService/DeleteApiKey': {
    callers: [...OPERATORS, 'tenant_keys'],
    self: ({ key }) => keys.DeleteApiKeyRequest.encode(keys.DeleteApiKeyRequest.fromPartial({ id: key })).finish(),
  },
  'tollgate.admin.v1.BreakerService/ListBreakers': look,
  'tollgate.admin.v1.BreakerService/Isolate': work,
  'tollgate.admin.v1.BreakerService/Reset': work,
  'tollgate.admin.v1.FleetService/ListGateways': look,
  'tollgate.admin.v1.FleetService/WaitForVersion': look,
  'tollgate.admin.v1.FleetService/RestoreConfiguration': own,
  'tollgate.admin.v1.DiagnosticsService/GetCall': look,
  'tollgate.admin.v1.DiagnosticsService/GetState': look,
  'tollgate.admin.v1.DiagnosticsService/GetCpuProfile': own,
  'grpc.channelz.v1.Channelz/GetTopChannels': look,
  'grpc.channelz.v1.Channelz/GetServers': look,
  'grpc.channelz.v1.Channelz/GetServer': look,
  'grpc.channelz.v1.Channelz/GetServerSockets': look,
  'grpc.channelz.v1.Channelz/GetChannel': look,
  'grpc.channelz.v1.Channelz/GetSubchannel': look,
  'grpc.channelz.v1.Channelz/GetSocket': look,
  'tollgate.admin.v1.UsageService/GetUsage': {
    callers: [...ALL_ROLES, 'tenant', 'tenant_keys'],
    self: ({ tenant }) => GetUsageRequest.encode({ tenantId: tenant }).finish(),
  },
  'tollgate.admin.v1.UsageService/AdjustQuota': work,
  'tollgate.admin.v1.DecisionService/ExplainDecision': look,
  'tollgate.admin.v1.AuditService/ListAuditEntries': look,
  'tollgate.admin.v1.AuditService/WatchChanges': look,
  'tollgate.metrics.v1.MetricsService/GetMetrics': {
    callers: [...ALL_ROLES, 'tenant', 'tenant_keys'],
    self: ({ tenant }) => metrics.GetMetricsRequest.encode(metricsOf(tenant)).finish(),
  },
  'tollgate.metrics.v1.MetricsService/WatchMetrics': {
    callers: [...ALL_ROLES, 'tenant', 'tenant_keys'],
    self: ({ tenant }) =>
      metrics.WatchMetricsRequest.encode({ query: metricsOf(tenant), interval: undefined }).finish(),
  },
  // A tenant has no name for another in it: it is told of itself.
  'tollgate.metrics.v1.MetricsService/TopTenants': { callers: [...ALL_ROLES, 'tenant', 'tenant_keys'], selfOnly: true },
  'tollgate.metrics.v1.MetricsService/TopMethods': {
    callers: [...ALL_ROLES, 'tenant', 'tenant_keys'],
    self: ({ tenant }) =>
      metrics.TopMethodsRequest.encode(metrics.TopMethodsRequest.fromPartial({ tenantId: tenant })).finish(),
  },
};
