import { ApiKey } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Backend } from '../../generated/tollgate/admin/v1/backend.ts';
import { Contract } from '../../generated/tollgate/admin/v1/contract.ts';
import { Plan } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant } from '../../generated/tollgate/admin/v1/tenant.ts';
import type { Document } from '../store/store.ts';
import type { Content } from './document-registry.ts';
import { etagOf } from './etag.ts';

// Messages as documents, and back. The body has what an admin says; etag and times come from the document's columns.

const UNSAID = { etag: '', createTime: undefined, updateTime: undefined };
/** What only answers say. */
const ANSWERED = { evidence: undefined };

export function tenantContent(tenant: Tenant): Content {
  return { body: Tenant.encode({ ...tenant, ...UNSAID, ...ANSWERED }).finish(), reference: tenant.plan };
}

export function planContent(plan: Plan): Content {
  return { body: Plan.encode({ ...plan, ...UNSAID, ...ANSWERED }).finish() };
}

/** @param sha256 of the key's text, lower-case hex */
export function keyContent(key: ApiKey, sha256: string): Content {
  const body = ApiKey.encode({ ...key, ...UNSAID, lastUseTime: undefined }).finish();
  return { body, hash: sha256, parent: key.tenantId };
}

export function backendContent(backend: Backend): Content {
  return { body: Backend.encode({ ...backend, ...UNSAID, fromFile: false }).finish() };
}

export function contractContent(contract: Contract): Content {
  return { body: Contract.encode({ ...contract, ...UNSAID, ...ANSWERED, fromFile: false, methods: [] }).finish() };
}

export function backendOf(document: Document): Backend {
  return { ...Backend.decode(document.body), id: document.id, ...said(document) };
}

export function contractOf(document: Document): Contract {
  return { ...Contract.decode(document.body), id: document.id, ...said(document) };
}

export function tenantOf(document: Document): Tenant {
  return { ...Tenant.decode(document.body), id: document.id, ...said(document) };
}

export function planOf(document: Document): Plan {
  return { ...Plan.decode(document.body), id: document.id, ...said(document) };
}

export function keyOf(document: Document): ApiKey {
  const tenantId = document.parent ?? '';
  return { ...ApiKey.decode(document.body), id: document.id, tenantId, ...said(document) };
}

function said(document: Document): { etag: string; createTime: Date; updateTime: Date } {
  const { createdAt, updatedAt } = document;
  return { etag: etagOf(document), createTime: new Date(createdAt), updateTime: new Date(updatedAt) };
}
