import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One tenant of the benchmark, with its only key. */
export interface BenchTenant {
  readonly id: string;
  /** The whole text of the key, as a client presents it. */
  readonly key: string;
}

const SERVICES: Readonly<Record<string, readonly string[]>> = {
  Catalog: ['GetBook', 'ListBooks', 'SearchBooks', 'GetAuthor', 'ListAuthors'],
  Orders: ['CreateOrder', 'GetOrder', 'ListOrders', 'CancelOrder', 'PriceOrder'],
  Customers: ['GetCustomer', 'UpdateCustomer', 'ListAddresses', 'AddAddress', 'RemoveAddress'],
  Inventory: ['GetStock', 'ReserveStock', 'ReleaseStock', 'ListWarehouses', 'CountStock'],
};

/** The `:path` of each of the 20 methods. */
export function methodPaths(): string[] {
  return Object.entries(SERVICES).flatMap(([service, methods]) =>
    methods.map((method) => `/bench.store.v1.${service}/${method}`),
  );
}

/**
 * Tenants with keys of the gateway's form, the same in every run: what is random here would be one more source of noise.
 */
export function benchTenants(count: number): BenchTenant[] {
  return Array.from({ length: count }, (_, index) => {
    const seed = createHash('sha256').update(`tollgate-bench-${index}`).digest('hex');
    const id = `tenant-${String(index).padStart(4, '0')}`;
    return { id, key: `tg_bench_${seed.slice(0, 12)}_${seed.slice(12, 60)}` };
  });
}

/** A gRPC message: 5 octets of prefix, then a protobuf message with one `bytes` field, `size` octets in all. */
export function grpcMessage(size: number): Buffer {
  const lengthOctets = size > 16_500 ? 3 : 1;
  const payload = size - 5 - 1 - lengthOctets;
  const message = Buffer.alloc(size, 'x');
  message[0] = 0;
  message.writeUInt32BE(size - 5, 1);
  message[5] = 0x0a;
  for (let i = 0, rest = payload; i < lengthOctets; i += 1, rest >>>= 7) {
    message[6 + i] = (rest & 0x7f) | (i === lengthOctets - 1 ? 0 : 0x80);
  }
  return message;
}

/** Writes the contract of the 20 methods into `folder`. */
export function writeContract(folder: string): void {
  const services = Object.entries(SERVICES).map(([service, methods]) => {
    const lines = methods.map((method) => `  rpc ${method}(Message) returns (Message);`);
    return `service ${service} {\n${lines.join('\n')}\n}\n`;
  });
  const head = 'syntax = "proto3";\n\npackage bench.store.v1;\n\nmessage Message {\n  bytes payload = 1;\n}\n\n';
  const path = join(folder, 'bench', 'store', 'v1');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'store.proto'), head + services.join('\n'));
}
