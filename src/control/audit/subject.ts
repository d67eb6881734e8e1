/** What a request to change something is about, as far as it says so. */
export interface Subject {
  readonly resource: string;
  /** The tenant that it is about; empty when the request does not say, or there is none. */
  readonly tenantId: string;
  readonly reason: string;
}

/** The first collection whose service is asked names what `id` is. */
const BY_SERVICE: readonly (readonly [service: string, collection: string])[] = [
  ['TenantService', 'tenants'],
  ['PlanService', 'plans'],
  ['ApiKeyService', 'api_keys'],
  ['UsageService', 'quotas'],
  ['BreakerService', 'breakers'],
  ['BackendService', 'backends'],
  ['ContractService', 'contracts'],
];

/** @param path `/pkg.Service/Method`; @param request a request message, or what was to be one */
export function subjectOf(path: string, request: unknown): Subject {
  const reason = textIn(request, 'reason');
  const collection = BY_SERVICE.find(([service]) => path.includes(`.${service}/`))?.[1] ?? '';
  const tenantId = textIn(request, 'tenantId') || textIn(fieldOf(request, 'apiKey'), 'tenantId');
  const id =
    textIn(request, 'id') ||
    textIn(request, 'backend') ||
    textIn(request, 'planId') ||
    textIn(request, 'backendId') ||
    textIn(request, 'contractId') ||
    textIn(fieldOf(request, 'tenant'), 'id') ||
    textIn(fieldOf(request, 'plan'), 'id') ||
    textIn(fieldOf(request, 'backend'), 'id') ||
    textIn(fieldOf(request, 'contract'), 'id') ||
    textIn(fieldOf(request, 'apiKey'), 'id');
  if (collection === 'tenants') {
    const tenant = id || tenantId;
    return { resource: nameOf(collection, tenant), tenantId: tenant, reason };
  }
  if (id === '' && tenantId !== '') return { resource: `tenants/${tenantId}/${collection}`, tenantId, reason };
  return { resource: nameOf(collection, id), tenantId, reason };
}

function nameOf(collection: string, id: string): string {
  return id === '' ? collection : `${collection}/${id}`;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** Bounded: what was refused may be anything. */
function textIn(value: unknown, name: string): string {
  const field = fieldOf(value, name);
  return typeof field === 'string' ? field.slice(0, 500) : '';
}
