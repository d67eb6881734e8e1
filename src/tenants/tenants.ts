import {
  type CreateTenantRequest,
  type DeleteTenantRequest,
  type GetTenantRequest,
  type ListTenantsRequest,
  type ListTenantsResponse,
  type Tenant,
  Tenant_State,
  type UpdateTenantRequest,
} from '../../generated/tollgate/admin/v1/tenant.ts';
import type { DocumentRegistry } from './document-registry.ts';
import { InvalidArgument } from './errors.ts';
import { maskedFields } from './field-mask.ts';
import { refuseReserved } from './reserved.ts';
import { tenantContent, tenantOf } from './stored.ts';
import { checkTenant, checkTenantId } from './validate.ts';

const FIELDS = ['display_name', 'plan', 'state'] as const;

/** Tenants, in the requests and answers of `tollgate.admin.v1.TenantService`. */
export class TenantRegistry {
  readonly #documents: DocumentRegistry;

  constructor(documents: DocumentRegistry) {
    this.#documents = documents;
  }

  /** @throws InvalidArgument, AlreadyExists, FailedPrecondition (there is no such plan) */
  async create({ tenantId, tenant }: CreateTenantRequest): Promise<Tenant> {
    if (tenant === undefined) throw new InvalidArgument('tenant', 'is missing');
    checkTenantId('tenant_id', tenantId);
    refuseReserved(tenantId, 'created');
    const created: Tenant = { ...tenant, id: tenantId, state: tenant.state || Tenant_State.STATE_ACTIVE };
    checkTenant(created);
    return tenantOf(await this.#documents.create(tenantId, tenantContent(created)));
  }

  /** @throws NotFound */
  async get({ id }: GetTenantRequest): Promise<Tenant> {
    return tenantOf(await this.#documents.get(id));
  }

  /** @throws InvalidArgument */
  async list(request: ListTenantsRequest): Promise<ListTenantsResponse> {
    const { documents, nextPageToken } = await this.#documents.list(request);
    return { tenants: documents.map(tenantOf), nextPageToken };
  }

  /** @throws NotFound, EtagMismatch, InvalidArgument, FailedPrecondition (no such plan; the admin tenant suspended) */
  async update({ tenant, updateMask }: UpdateTenantRequest): Promise<Tenant> {
    if (tenant === undefined) throw new InvalidArgument('tenant', 'is missing');
    const fields = maskedFields(updateMask, FIELDS);
    // A mask that names the state must give one; without a mask, one that is not given stays as it is.
    const named = updateMask?.includes('state') ?? false;
    const document = await this.#documents.update(tenant.id, tenant.etag, (current) => {
      const next = tenantOf(current);
      if (fields.has('display_name')) next.displayName = tenant.displayName;
      if (fields.has('plan')) next.plan = tenant.plan;
      if (fields.has('state') && (named || tenant.state !== Tenant_State.STATE_UNSPECIFIED)) next.state = tenant.state;
      checkTenant(next);
      if (next.state === Tenant_State.STATE_SUSPENDED) refuseReserved(next.id, 'suspended');
      return tenantContent(next);
    });
    return tenantOf(document);
  }

  /** Deletes the tenant's keys too. @throws NotFound, EtagMismatch, FailedPrecondition (the admin tenant) */
  async delete({ id, etag }: DeleteTenantRequest): Promise<void> {
    refuseReserved(id, 'deleted');
    await this.#documents.delete(id, etag);
  }
}
