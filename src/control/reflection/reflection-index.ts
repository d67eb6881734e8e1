import { type DescFile, type DescMessage, toBinary } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/** What reflection can tell of one contract: names to the files that declare them. */
export interface ReflectionIndex {
  /** Full names, sorted. */
  readonly services: readonly string[];
  readonly files: ReadonlyMap<string, DescFile>;
  /** Full names of messages, enums, values, fields, oneofs, extensions, services and methods. */
  readonly symbols: ReadonlyMap<string, DescFile>;
  /** Full name of the extended message, then field number. */
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

/** The messages in the details of refusals: clients by reflection (grpcurl) could not show them otherwise. */
const REFUSAL_DETAILS = 'google/rpc/error_details.proto';

/**
 * Indexes a contract's files. Where a set has services that are not part of the contract (the gateway's own set has several
 * contracts in it), only files that declare its services, and what those import, are shown,
 * and the details of refusals.
 *
 * @param files every file of a descriptor set
 * @param isShown whether a service (by its full name) is part of the contract
 */
export function createReflectionIndex(
  files: Iterable<DescFile>,
  isShown: (service: string) => boolean,
): ReflectionIndex {
  const all = [...files];
  const services = all.flatMap((file) => file.services.map((service) => service.typeName));
  const shown = services.filter(isShown);
  const visible = shown.length === services.length ? new Set(all) : reachableFiles(all, isShown);
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of visible) indexFile(file, symbols, extensions);
  return {
    services: shown.sort(),
    files: new Map([...visible].map((file) => [file.proto.name, file])),
    symbols,
    extensions,
  };
}

function reachableFiles(files: readonly DescFile[], isShown: (service: string) => boolean): Set<DescFile> {
  const declaring = files.filter(
    (file) => file.proto.name === REFUSAL_DETAILS || file.services.some((service) => isShown(service.typeName)),
  );
  return new Set(declaring.flatMap((file) => [...withDependencies(file)]));
}

/**
 * The file, then everything that it imports, directly or not, each once and before what it imports itself: from the last to
 * the first, each can be linked with those that came before it.
 */
export function withDependencies(file: DescFile): Set<DescFile> {
  const done = new Set<DescFile>();
  const visit = (each: DescFile) => {
    if (done.has(each)) return;
    for (const dependency of each.dependencies) visit(dependency);
    done.add(each);
  };
  visit(file);
  return new Set([...done].reverse());
}

/** The binary form of a file's descriptor. Options that are unknown here (other people's extensions) are kept. */
export function encodeFile(file: DescFile): Buffer {
  return Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto));
}

function indexFile(
  file: DescFile,
  symbols: Map<string, DescFile>,
  extensions: Map<string, Map<number, DescFile>>,
): void {
  for (const type of nestedTypes(file)) {
    symbols.set(type.typeName, file);
    switch (type.kind) {
      case 'service':
        for (const method of type.methods) symbols.set(`${type.typeName}.${method.name}`, file);
        break;
      case 'enum':
        // Values are siblings of their enum (protobuf follows C++ scoping).
        for (const value of type.values) symbols.set(sibling(type.typeName, value.name), file);
        break;
      case 'message':
        indexMembers(type, file, symbols);
        break;
      case 'extension': {
        const numbers = extensions.get(type.extendee.typeName) ?? new Map<number, DescFile>();
        extensions.set(type.extendee.typeName, numbers.set(type.number, file));
        break;
      }
    }
  }
}

function indexMembers(message: DescMessage, file: DescFile, symbols: Map<string, DescFile>): void {
  for (const field of message.fields) symbols.set(`${message.typeName}.${field.name}`, file);
  for (const oneof of message.oneofs) symbols.set(`${message.typeName}.${oneof.name}`, file);
}

function sibling(typeName: string, name: string): string {
  const dot = typeName.lastIndexOf('.');
  return dot === -1 ? name : `${typeName.slice(0, dot)}.${name}`;
}
