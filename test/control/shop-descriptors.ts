import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';
import { readOwnDescriptors } from '../../src/contracts/builtin.ts';

/** Somebody's contract, as buf would have compiled it: one of each kind of symbol, and an extension. */
export function shopDescriptors(): Uint8Array {
  const own = fromBinary(FileDescriptorSetSchema, readOwnDescriptors()).file;
  const descriptor = own.find(({ name }) => name === 'google/protobuf/descriptor.proto')!;
  const text = { type: Type.STRING, label: Label.OPTIONAL };
  const shop = create(FileDescriptorProtoSchema, {
    name: 'shop/v1/shop.proto',
    package: 'shop.v1',
    syntax: 'proto3',
    dependency: ['google/protobuf/descriptor.proto'],
    messageType: [
      {
        name: 'BuyRequest',
        field: [
          { name: 'item', number: 1, ...text },
          { name: 'card', number: 2, oneofIndex: 0, ...text },
        ],
        oneofDecl: [{ name: 'how' }],
        nestedType: [{ name: 'Nested' }],
      },
      { name: 'BuyResponse' },
    ],
    enumType: [
      {
        name: 'Kind',
        value: [
          { name: 'KIND_UNSPECIFIED', number: 0 },
          { name: 'KIND_BOOK', number: 1 },
        ],
      },
    ],
    extension: [{ name: 'label', number: 50999, extendee: '.google.protobuf.MethodOptions', ...text }],
    service: [
      {
        name: 'ShopService',
        method: [{ name: 'Buy', inputType: '.shop.v1.BuyRequest', outputType: '.shop.v1.BuyResponse' }],
      },
    ],
  });
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [descriptor, shop] }));
}
