import { createHash } from 'node:crypto';
import {
  type DescMessage,
  type FileRegistry,
  fromBinary,
  type JsonObject,
  type JsonValue,
  toJson,
} from '@bufbuild/protobuf';
import { ApiKey } from '../../../generated/tollgate/admin/v1/api_key.ts';
import { Backend } from '../../../generated/tollgate/admin/v1/backend.ts';
import { Contract } from '../../../generated/tollgate/admin/v1/contract.ts';
import { Plan } from '../../../generated/tollgate/admin/v1/plan.ts';
import { Tenant } from '../../../generated/tollgate/admin/v1/tenant.ts';
import { readOwnRegistry } from '../to-json.ts';

/** What of a plan, tenant, key, backend or contract somebody decides, by the names of the protos: comparable, printable. */
export type Fields = Readonly<Record<string, JsonValue>>;

/** What the gateway decides, and what says which one it is. */
export const NOT_DECIDED: ReadonlySet<string> = new Set([
  ...['id', 'tenant_id', 'etag', 'create_time', 'update_time', 'last_use_time'],
  // Of the answer to a plan that was only checked.
  'evidence',
  // What the gateway tells of backends and contracts.
  ...['from_file', 'methods'],
]);

export interface FieldReaders {
  plan(plan: Plan): Fields;
  tenant(tenant: Tenant): Fields;
  key(key: ApiKey): Fields;
  backend(backend: Backend): Fields;
  /** Of descriptors which they are. */
  contract(contract: Contract): Fields;
}

export function createFieldReaders(): FieldReaders {
  const registry = readOwnRegistry();
  const reader = <T>(type: string, encoder: { encode(message: T): { finish(): Uint8Array } }) => {
    const desc = registry.getMessage(type);
    if (desc === undefined) throw new Error(`the tollgate package is damaged: its descriptors lack ${type}`);
    return (message: T): Fields => {
      const json = toPlain(registry, desc, encoder.encode(message).finish());
      return Object.fromEntries(Object.entries(json).filter(([name]) => !NOT_DECIDED.has(name)));
    };
  };
  const contract = reader('tollgate.admin.v1.Contract', Contract);
  return {
    backend: reader('tollgate.admin.v1.Backend', Backend),
    contract: (message) => ({
      ...contract({ ...message, descriptorSet: Buffer.alloc(0) }),
      descriptor_set: describeDescriptors(message.descriptorSet),
    }),
    plan: reader('tollgate.admin.v1.Plan', Plan),
    tenant: reader('tollgate.admin.v1.Tenant', Tenant),
    key: reader('tollgate.admin.v1.ApiKey', ApiKey),
  };
}

function describeDescriptors(octets: Uint8Array): string {
  const digest = createHash('sha256').update(octets).digest('hex');
  return `${octets.length} octets, SHA-256 ${digest.slice(0, 16)}`;
}

/** A message as the files write it: names of the proto, whole numbers as numbers, enums without what all of their values share. */
function toPlain(registry: FileRegistry, desc: DescMessage, octets: Uint8Array): JsonObject {
  const json = toJson(desc, fromBinary(desc, octets), { useProtoFieldName: true, registry });
  return isObject(json) ? plainObject(desc, json) : {};
}

function plainObject(desc: DescMessage, json: JsonObject): JsonObject {
  const plain: JsonObject = {};
  for (const field of desc.fields) {
    const value = json[field.name];
    if (value === undefined) continue;
    const convert = (item: JsonValue): JsonValue => {
      if (field.message) return isObject(item) ? plainObject(field.message, item) : item;
      if (field.enum)
        return String(item)
          .slice(field.enum.sharedPrefix?.length ?? 0)
          .toLowerCase();
      return isLong(field.scalar) ? Number(item) : item;
    };
    if (Array.isArray(value)) plain[field.name] = value.map(convert);
    else if (field.fieldKind !== 'map' || !isObject(value)) plain[field.name] = convert(value);
    else plain[field.name] = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, convert(item)]));
  }
  return plain;
}

/** Scalar types of 64 bits, which JSON has as text: int64, uint64, fixed64, sfixed64, sint64 (descriptor.proto). */
const LONG: ReadonlySet<number> = new Set([3, 4, 6, 16, 18]);
const isLong = (scalar: number | undefined): boolean => scalar !== undefined && LONG.has(scalar);

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
