import { createFileRegistry, type DescMessage, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { readOwnDescriptors } from '../contracts/builtin.ts';

/** The schema of a file: a message (`tollgate.config.v1.Config`) and what it refers to. */
export interface ConfigSchema {
  readonly registry: FileRegistry;
  readonly message: DescMessage;
}

/** Reads the schema from the descriptors that ship with the package. */
export function readConfigSchema(descriptorSet: Uint8Array = readOwnDescriptors()): ConfigSchema {
  return readSchema('tollgate.config.v1.Config', descriptorSet);
}

/** @param type full name of a message of ours */
export function readSchema(type: string, descriptorSet: Uint8Array = readOwnDescriptors()): ConfigSchema {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
  const message = registry.getMessage(type);
  if (message === undefined) throw new Error(`the tollgate package is damaged: its descriptors lack ${type}`);
  return { registry, message };
}
