import type * as key from '../../generated/tollgate/admin/v1/api_key.ts';
import type * as plan from '../../generated/tollgate/admin/v1/plan.ts';
import type * as tenant from '../../generated/tollgate/admin/v1/tenant.ts';
import type { DocumentStore } from '../store/store.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import { ensureAdminKey } from './admin-key.ts';
import { applyFile, type FileContent } from './apply-file.ts';
import { BackendRegistry } from './backends.ts';
import { ContractRegistry } from './contracts.ts';
import { DocumentRegistry } from './document-registry.ts';
import { type GatewayFacts, NO_FACTS } from './gateway-facts.ts';
import { KeyRegistry, type KeyUseReader } from './keys.ts';
import { PlanRegistry } from './plans.ts';
import { TenantRegistry } from './tenants.ts';

export interface TenantManagerOptions {
  readonly documents: DocumentStore;
  readonly sync: ConfigSync;
  /** Gives so many unpredictable bytes (`crypto.randomBytes`). */
  readonly random: (bytes: number) => Uint8Array;
  readonly clock: { now(): number };
  /** Hosts whose key sets may come over http, beside this machine. */
  readonly httpHosts?: ReadonlySet<string> | undefined;
  /** When keys were last used (Unix milliseconds), by id. Without it nothing is told of that. */
  readonly uses?: KeyUseReader | undefined;
  /** What backends and contracts are held against. */
  readonly facts?: GatewayFacts | undefined;
}

/**
 * The registry: tenants, plans, API keys, backends and contracts, in the requests and answers of `tollgate.admin.v1`. A change has taken effect on
 * this gateway's next decision when its promise resolves. What is refused is one of `errors.ts`; else the store failed.
 */
export class TenantManager {
  readonly #options: TenantManagerOptions;
  readonly #tenants: TenantRegistry;
  readonly #plans: PlanRegistry;
  readonly #keys: KeyRegistry;
  /** Where calls go, and what can be called, beside what the configuration file says. */
  readonly backends: BackendRegistry;
  readonly contracts: ContractRegistry;

  constructor(options: TenantManagerOptions) {
    const { documents, sync, random, clock, uses, httpHosts = new Set(), facts = NO_FACTS } = options;
    this.#options = options;
    this.#tenants = new TenantRegistry(new DocumentRegistry(documents, sync, 'tenant'), { sync, httpHosts });
    this.#plans = new PlanRegistry(new DocumentRegistry(documents, sync, 'plan'));
    this.#keys = new KeyRegistry(new DocumentRegistry(documents, sync, 'api_key'), { random, clock, uses });
    this.backends = new BackendRegistry(new DocumentRegistry(documents, sync, 'backend'), sync, facts);
    this.contracts = new ContractRegistry(new DocumentRegistry(documents, sync, 'contract'), sync, facts);
  }

  /** The same registry, with changes made through another `ConfigSync`. */
  with(sync: ConfigSync): TenantManager {
    return new TenantManager({ ...this.#options, sync });
  }

  createTenant(request: tenant.CreateTenantRequest): Promise<tenant.Tenant> {
    return this.#tenants.create(request);
  }
  getTenant(request: tenant.GetTenantRequest): Promise<tenant.Tenant> {
    return this.#tenants.get(request);
  }
  listTenants(request: tenant.ListTenantsRequest): Promise<tenant.ListTenantsResponse> {
    return this.#tenants.list(request);
  }
  updateTenant(request: tenant.UpdateTenantRequest): Promise<tenant.Tenant> {
    return this.#tenants.update(request);
  }
  deleteTenant(request: tenant.DeleteTenantRequest): Promise<void> {
    return this.#tenants.delete(request);
  }

  createPlan(request: plan.CreatePlanRequest): Promise<plan.Plan> {
    return this.#plans.create(request);
  }
  getPlan(request: plan.GetPlanRequest): Promise<plan.Plan> {
    return this.#plans.get(request);
  }
  listPlans(request: plan.ListPlansRequest): Promise<plan.ListPlansResponse> {
    return this.#plans.list(request);
  }
  updatePlan(request: plan.UpdatePlanRequest): Promise<plan.Plan> {
    return this.#plans.update(request);
  }
  deletePlan(request: plan.DeletePlanRequest): Promise<void> {
    return this.#plans.delete(request);
  }

  /** The answer alone has the key's text. */
  createApiKey(request: key.CreateApiKeyRequest): Promise<key.CreateApiKeyResponse> {
    return this.#keys.create(request);
  }
  getApiKey(request: key.GetApiKeyRequest): Promise<key.ApiKey> {
    return this.#keys.get(request);
  }
  listApiKeys(request: key.ListApiKeysRequest): Promise<key.ListApiKeysResponse> {
    return this.#keys.list(request);
  }
  updateApiKey(request: key.UpdateApiKeyRequest): Promise<key.ApiKey> {
    return this.#keys.update(request);
  }
  /** The answer alone has the new key's text. */
  rotateApiKey(request: key.RotateApiKeyRequest): Promise<key.RotateApiKeyResponse> {
    return this.#keys.rotate(request);
  }
  deleteApiKey(request: key.DeleteApiKeyRequest): Promise<void> {
    return this.#keys.delete(request);
  }

  /** At start: brings the store to what the configuration file says; see `apply-file.ts`. */
  applyFile(file: FileContent): Promise<void> {
    const { documents, sync, httpHosts = new Set() } = this.#options;
    return applyFile(documents, { sync, httpHosts }, file);
  }

  /**
   * At start: a key to administer the gateway with.
   * @param text from TOLLGATE_ADMIN_KEY
   * @returns the text of a key that was minted, to be shown once; undefined when none had to be
   */
  ensureAdminKey(text: string | undefined): Promise<string | undefined> {
    const { documents, sync, random, clock } = this.#options;
    return ensureAdminKey({ documents, sync, text, random, now: () => clock.now() });
  }
}
