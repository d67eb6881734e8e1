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
import type { Document } from '../store/store.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import type { DocumentRegistry } from './document-registry.ts';
import { InvalidArgument } from './errors.ts';
import { maskedFields } from './field-mask.ts';
import { refuseTaken } from './refuse-taken.ts';
import { refuseReserved } from './reserved.ts';
import { tenantContent, tenantOf } from './stored.ts';
import { checkIdentities, checkTenant, checkTenantId } from './validate.ts';

const FIELDS = ['display_name', 'plan', 'state', 'issuers', 'client_certificates', 'allowed', 'overrides'] as const;

/** What issuers and client certificates are held against. */
export interface IdentityRules {
  readonly sync: Pick<ConfigSync, 'current'>;
  /** Hosts whose key sets may come over http. */
  readonly httpHosts: ReadonlySet<string>;
}

/** Tenants, in the requests and answers of `tollgate.admin.v1.TenantService`. */
export class TenantRegistry {
  readonly #documents: DocumentRegistry;
  readonly #identities: IdentityRules;

  constructor(documents: DocumentRegistry, identities: IdentityRules) {
    this.#documents = documents;
    this.#identities = identities;
  }

  /** @throws InvalidArgument, AlreadyExists, FailedPrecondition (no such plan; an issuer or certificate of another tenant) */
  async create({ tenantId, tenant }: CreateTenantRequest): Promise<Tenant> {
    if (tenant === undefined) throw new InvalidArgument('tenant', 'is missing');
    checkTenantId('tenant_id', tenantId);
    refuseReserved(tenantId, 'created');
    const created: Tenant = { ...tenant, id: tenantId, state: tenant.state || Tenant_State.STATE_ACTIVE };
    checkTenant(created);
    this.#checkIdentities(created);
    return tenantOf(await this.#documents.create(tenantId, tenantContent(created)));
  }

  /** @throws NotFound */
  async get({ id }: GetTenantRequest): Promise<Tenant> {
    return tenantOf(await this.#documents.get(id));
  }

  /** @throws InvalidArgument */
  async list(request: ListTenantsRequest): Promise<ListTenantsResponse> {
    const { plan = '', state = Tenant_State.STATE_UNSPECIFIED } = request;
    const isAny = plan === '' && state === Tenant_State.STATE_UNSPECIFIED;
    const keeps = (document: Document) =>
      (plan === '' || document.reference === plan) &&
      (state === Tenant_State.STATE_UNSPECIFIED || tenantOf(document).state === state);
    const { documents, nextPageToken } = isAny
      ? await this.#documents.list(request)
      : await this.#documents.listWhere(request, `plan=${plan},state=${state}`, keeps);
    return { tenants: documents.map(tenantOf), nextPageToken };
  }

  /** @throws NotFound, EtagMismatch, InvalidArgument, FailedPrecondition (no such plan; the admin tenant suspended) */
  async update({ tenant, updateMask }: UpdateTenantRequest): Promise<Tenant> {
    if (tenant === undefined) throw new InvalidArgument('tenant', 'is missing');
    const fields = maskedFields(updateMask, FIELDS);
    // A mask that names a field sets it to what is given, be it nothing; without a mask, what is not given stays as it is.
    const named = (field: string) => updateMask?.includes(field) ?? false;
    const document = await this.#documents.update(tenant.id, tenant.etag, (current) => {
      const next = tenantOf(current);
      if (fields.has('display_name')) next.displayName = tenant.displayName;
      if (fields.has('plan')) next.plan = tenant.plan;
      if (fields.has('state') && (named('state') || tenant.state !== Tenant_State.STATE_UNSPECIFIED))
        next.state = tenant.state;
      if (fields.has('issuers') && (named('issuers') || tenant.issuers.length > 0)) next.issuers = tenant.issuers;
      if (fields.has('client_certificates') && (named('client_certificates') || tenant.clientCertificates.length > 0))
        next.clientCertificates = tenant.clientCertificates;
      if (fields.has('allowed') && (named('allowed') || tenant.allowed.length > 0)) next.allowed = tenant.allowed;
      if (fields.has('overrides') && (named('overrides') || tenant.overrides !== undefined))
        next.overrides = tenant.overrides;
      checkTenant(next);
      this.#checkIdentities(next);
      if (next.state === Tenant_State.STATE_SUSPENDED) refuseReserved(next.id, 'suspended');
      return tenantContent(next);
    });
    return tenantOf(document);
  }

  #checkIdentities(tenant: Tenant): void {
    const { sync, httpHosts } = this.#identities;
    checkIdentities(tenant, httpHosts);
    refuseTaken(sync.current, [tenant]);
  }

  /** Deletes the tenant's keys too. @throws NotFound, EtagMismatch, FailedPrecondition (the admin tenant) */
  async delete({ id, etag }: DeleteTenantRequest): Promise<void> {
    refuseReserved(id, 'deleted');
    await this.#documents.delete(id, etag);
  }
}
