import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { ApiKey, ApiKeyServiceService } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Plan, PlanServiceService } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant, TenantServiceService } from '../../generated/tollgate/admin/v1/tenant.ts';

/** The admin services with the generated stubs, as a person at a terminal would use them. */
export class AdminClient {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  constructor(port: number, key: string) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    this.#metadata.set('authorization', `Bearer ${key}`);
  }

  close(): void {
    this.#client.close();
  }

  /** @throws ServiceError */
  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + 60_000 };
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.#metadata,
        options,
        (error, response) => (error ? reject(error) : resolve(response!)),
      );
    });
  }

  createTenant(id: string, plan: string): Promise<Tenant> {
    const tenant = Tenant.fromPartial({ displayName: id, plan });
    return this.call(TenantServiceService.createTenant, { tenantId: id, tenant });
  }

  getTenant(id: string): Promise<Tenant> {
    return this.call(TenantServiceService.getTenant, { id });
  }

  /** Changes the fields that are given. */
  async updateTenant(id: string, change: Partial<Pick<Tenant, 'plan' | 'state'>>): Promise<Tenant> {
    const tenant = { ...(await this.getTenant(id)), ...change };
    return this.call(TenantServiceService.updateTenant, { tenant, updateMask: Object.keys(change) });
  }

  async deleteTenant(id: string): Promise<void> {
    await this.call(TenantServiceService.deleteTenant, { id, etag: '' });
  }

  /** @returns the key's id and its text */
  async createKey(tenantId: string, name: string): Promise<{ id: string; key: string }> {
    const apiKey = ApiKey.fromPartial({ name });
    const created = await this.call(ApiKeyServiceService.createApiKey, { tenantId, apiKey });
    return { id: created.apiKey?.id ?? '', key: created.key };
  }

  async deleteKey(id: string): Promise<void> {
    await this.call(ApiKeyServiceService.deleteApiKey, { id, etag: '' });
  }

  async keysOf(tenantId: string): Promise<string[]> {
    const request = { tenantId, pageSize: 1_000, pageToken: '' };
    return (await this.call(ApiKeyServiceService.listApiKeys, request)).apiKeys.map(({ id }) => id);
  }

  getPlan(id: string): Promise<Plan> {
    return this.call(PlanServiceService.getPlan, { id });
  }

  createPlan(id: string, plan: Pick<Plan, 'limits' | 'quotas' | 'concurrency'>): Promise<Plan> {
    return this.call(PlanServiceService.createPlan, { planId: id, plan: Plan.fromPartial(plan) });
  }

  updatePlan(plan: Plan): Promise<Plan> {
    return this.call(PlanServiceService.updatePlan, { plan, updateMask: undefined });
  }
}
