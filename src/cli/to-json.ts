import { createFileRegistry, type DescMessage, type FileRegistry, fromBinary, toJson } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { readOwnDescriptors } from '../contracts/builtin.ts';

/** What of a generated message's functions is needed here. */
interface Encoder<T> {
  encode(message: T): { finish(): Uint8Array };
}

/**
 * How messages of one type are written for programs: the JSON mapping of protobuf, as `grpcurl` and `buf curl` write it
 * (https://protobuf.dev/programming-guides/json/). 64-bit integers are text there, durations `1.500s`.
 *
 * @param type full name, e.g. `tollgate.admin.v1.Tenant`
 */
export function jsonOf<T>(type: string, encoder: Encoder<T>): (message: T) => unknown {
  let known: { desc: DescMessage; registry: FileRegistry } | undefined;
  return (message) => {
    known ??= find(type);
    const { desc, registry } = known;
    return toJson(desc, fromBinary(desc, encoder.encode(message).finish()), { registry });
  };
}

/** A constant, but one that takes 30 ms to read: only commands that need it do so. */
let registry: FileRegistry | undefined;

/** The descriptors of the gateway's own messages, as they ship with the package. */
export function readOwnRegistry(): FileRegistry {
  registry ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, readOwnDescriptors()));
  return registry;
}

function find(type: string): { desc: DescMessage; registry: FileRegistry } {
  const registry = readOwnRegistry();
  const desc = registry.getMessage(type);
  if (desc === undefined) throw new Error(`the tollgate package is damaged: its descriptors lack ${type}`);
  return { desc, registry };
}
