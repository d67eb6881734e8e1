import { createHash } from 'node:crypto';
import { ApiKey } from '../../../generated/tollgate/admin/v1/api_key.ts';
import type { ResourceChange } from '../../../generated/tollgate/admin/v1/audit.ts';
import { Backend } from '../../../generated/tollgate/admin/v1/backend.ts';
import { Contract } from '../../../generated/tollgate/admin/v1/contract.ts';
import { Plan } from '../../../generated/tollgate/admin/v1/plan.ts';
import { Tenant } from '../../../generated/tollgate/admin/v1/tenant.ts';
import type { Document, DocumentKind, Write } from '../../store/store.ts';

/** Of so many resources an entry tells what they were and are; of others that follow only their names. */
const MAX_TOLD = 50;
const MAX_NAMED = 1000;
/** A document of more octets is named, and not told. */
const MAX_OCTETS = 65_536;

const COLLECTIONS: Readonly<Record<DocumentKind, string>> = {
  tenant: 'tenants',
  plan: 'plans',
  api_key: 'api_keys',
  backend: 'backends',
  contract: 'contracts',
};

/** As the audit log names it: `tenants/acme`. */
export function resourceName(kind: DocumentKind, id: string): string {
  return `${COLLECTIONS[kind]}/${id}`;
}

/**
 * What writes make of documents, in JSON, without anything secret: a key's hash is no part of its body.
 * @param before the document that each write finds
 */
export function toResourceChanges(
  writes: readonly Write[],
  before: readonly (Document | undefined)[],
): ResourceChange[] {
  return writes.slice(0, MAX_NAMED).map((write, index) => {
    const resource = resourceName(write.kind, write.id);
    if (index >= MAX_TOLD) return { resource, before: undefined, after: undefined };
    const old = before[index];
    return {
      resource,
      before: old && toJson(write.kind, old.body),
      after: write.op === 'put' ? toJson(write.kind, write.body) : undefined,
    };
  });
}

/** The tenant that a document is, or belongs to. */
export function tenantOfWrite(write: Write, before: Document | undefined): string {
  if (write.kind === 'tenant') return write.id;
  return (write.op === 'put' ? write.parent : before?.parent) ?? '';
}

function toJson(kind: DocumentKind, body: Uint8Array): Record<string, unknown> {
  if (body.length > MAX_OCTETS && kind !== 'contract') return { omitted: `${body.length} octets` };
  const json: unknown = READERS[kind](body);
  return { ...(json as Record<string, unknown>) };
}

const READERS: Readonly<Record<DocumentKind, (body: Uint8Array) => unknown>> = {
  tenant: (body) => Tenant.toJSON(Tenant.decode(body)),
  plan: (body) => Plan.toJSON(Plan.decode(body)),
  api_key: (body) => ApiKey.toJSON(ApiKey.decode(body)),
  backend: (body) => Backend.toJSON(Backend.decode(body)),
  contract: contractToJson,
};

/** Of descriptors only which they were: nobody reads them here, and a hundred kilobytes of them are common. */
function contractToJson(body: Uint8Array): object {
  const { descriptorSet, ...contract } = Contract.decode(body);
  const others = body.length - descriptorSet.length;
  if (others > MAX_OCTETS) return { omitted: `${body.length} octets` };
  const json: unknown = Contract.toJSON({ ...contract, descriptorSet: Buffer.alloc(0) });
  const sha256 = createHash('sha256').update(descriptorSet).digest('hex');
  return { ...(json as object), descriptorSet: `${descriptorSet.length} octets, SHA-256 ${sha256}` };
}
