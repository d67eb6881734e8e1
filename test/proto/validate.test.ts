import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { type DescriptorProto, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
// Not among the package's exports, hence the path.
import { file_buf_validate_validate as published } from '../../node_modules/@bufbuild/protovalidate/dist/esm/gen/buf/validate/validate_pb.js';

const set = fromBinary(
  FileDescriptorSetSchema,
  readFileSync(resolve(import.meta.dirname, '../../generated/tollgate.binpb')),
);

/** What decides the wire format of a message: fields by number, with type, label and oneof. */
function wire(message: DescriptorProto): unknown {
  return {
    name: message.name,
    fields: message.field
      .map((field) => ({
        name: field.name,
        number: field.number,
        type: field.type,
        typeName: field.typeName,
        label: field.label,
        // Unset, it would read as 0 from the prototype.
        oneof: Object.hasOwn(field, 'oneofIndex') ? message.oneofDecl[field.oneofIndex]?.name : undefined,
      }))
      .sort((a, b) => a.number - b.number),
    ranges: message.extensionRange.map(({ start, end }) => [start, end]),
    nested: message.nestedType.map(wire),
  };
}

test('the vendored validate.proto has the wire format of the published one', () => {
  const vendored = set.file.find((file) => file.name === 'buf/validate/validate.proto');
  expect(vendored?.messageType.map(wire)).toEqual(published.proto.messageType.map(wire));
  const extensions = published.proto.extension.map(({ name, number, extendee }) => ({ name, number, extendee }));
  expect(vendored?.extension.map(({ name, number, extendee }) => ({ name, number, extendee }))).toEqual(extensions);
});
