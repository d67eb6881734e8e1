import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, type FileDescriptorSet, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ServerReflectionRequest as RequestFns,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService as V1,
} from '../../generated/grpc/reflection/v1/reflection.ts';
import { ServerReflectionService as V1Alpha } from '../../generated/grpc/reflection/v1alpha/reflection.ts';
import { readOwnDescriptors } from '../../src/contracts/builtin.ts';
import { buildContract } from '../../src/contracts/contract.ts';
import { type ControlFixture, startFixture } from './fixture.ts';
import { noTenants } from './no-tenants.ts';
import { shopDescriptors } from './shop-descriptors.ts';

type Ask = ServerReflectionRequest['messageRequest'];
type Answer = ServerReflectionResponse['messageResponse'];

const ALWAYS = [
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];
const ADMIN = [
  'tollgate.admin.v1.ApiKeyService',
  'tollgate.admin.v1.AuditService',
  'tollgate.admin.v1.BackendService',
  'tollgate.admin.v1.BreakerService',
  'tollgate.admin.v1.ContractService',
  'tollgate.admin.v1.DecisionService',
  'tollgate.admin.v1.DiagnosticsService',
  'tollgate.admin.v1.FleetService',
  'tollgate.admin.v1.PlanService',
  'tollgate.admin.v1.TenantService',
  'tollgate.admin.v1.UsageService',
  'tollgate.metrics.v1.MetricsService',
];

let fixture: ControlFixture;
beforeAll(async () => {
  const shop = buildContract({ name: 'shop', backend: 'shop', descriptorSet: shopDescriptors() });
  fixture = await startFixture({ tenants: noTenants(), contracts: [shop] });
});
afterAll(() => fixture.stop());

/** Asks all questions on one stream, in order. */
function ask(service: typeof V1 | typeof V1Alpha, contracts: string, ...questions: Ask[]): Promise<Answer[]> {
  const { path, requestSerialize, responseDeserialize } = service.serverReflectionInfo;
  const stream = fixture.client.makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    fixture.metadata(contracts),
  );
  return new Promise((resolve, reject) => {
    const answers: Answer[] = [];
    stream.on('data', (response: ServerReflectionResponse) => answers.push(response.messageResponse));
    stream.on('error', reject);
    stream.on('end', () => resolve(answers));
    for (const messageRequest of questions) stream.write(RequestFns.fromPartial({ host: 'h', messageRequest }));
    stream.end();
  });
}

const bySymbol = (name: string): Ask => ({ $case: 'fileContainingSymbol', fileContainingSymbol: name });
const byFile = (name: string): Ask => ({ $case: 'fileByFilename', fileByFilename: name });
const list: Ask = { $case: 'listServices', listServices: '*' };

function services(answer: Answer): string[] {
  if (answer?.$case !== 'listServicesResponse') throw new Error(`not a list: ${answer?.$case}`);
  return answer.listServicesResponse.service.map(({ name }) => name);
}

function files(answer: Answer): FileDescriptorSet['file'] {
  if (answer?.$case !== 'fileDescriptorResponse') throw new Error(`no files: ${JSON.stringify(answer)}`);
  return answer.fileDescriptorResponse.fileDescriptorProto.map((octets) =>
    fromBinary(FileDescriptorProtoSchema, octets),
  );
}

const names = (answer: Answer): string[] => files(answer).map(({ name }) => name);

function errorCode(answer: Answer): number | undefined {
  return answer?.$case === 'errorResponse' ? answer.errorResponse.errorCode : undefined;
}

describe.each([
  ['v1', V1],
  ['v1alpha', V1Alpha],
] as const)('%s', (_, service) => {
  test('lists health, reflection and the contracts of the listener, and no others', async () => {
    const [none] = await ask(service, '', list);
    expect(services(none)).toEqual(ALWAYS);
    const [shop] = await ask(service, 'shop', list);
    expect(services(shop)).toEqual([...ALWAYS, 'shop.v1.ShopService']);
    const [both] = await ask(service, 'shop, tollgate,unknown', list);
    expect(services(both)).toEqual(['grpc.channelz.v1.Channelz', ...ALWAYS, 'shop.v1.ShopService', ...ADMIN]);
  });

  test('describes a service with the files that it needs, in a set that stands by itself', async () => {
    const [answer] = await ask(service, 'tollgate', bySymbol('tollgate.admin.v1.TenantService'));
    const set = files(answer);
    expect(set[0]?.name).toBe('tollgate/admin/v1/tenant.proto');
    // As a client does: the files, each once, must link, those that are imported first.
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: set.toReversed() }));
    expect(registry.getService('tollgate.admin.v1.TenantService')?.methods).toHaveLength(5);
  });

  test.each([
    'shop.v1.ShopService',
    'shop.v1.ShopService.Buy',
    'shop.v1.BuyRequest',
    'shop.v1.BuyRequest.item',
    'shop.v1.BuyRequest.Nested',
    'shop.v1.BuyRequest.how',
    'shop.v1.Kind',
    'shop.v1.KIND_BOOK',
    'shop.v1.label',
  ])('finds the file of %s', async (symbol) => {
    const [answer] = await ask(service, 'shop', bySymbol(symbol));
    expect(names(answer)[0]).toBe('shop/v1/shop.proto');
  });

  test('what another listener shows is not found', async () => {
    const answers = await ask(
      service,
      'shop',
      bySymbol('tollgate.admin.v1.TenantService'),
      bySymbol('tollgate.admin.v1.ApiKey'),
      byFile('tollgate/admin/v1/tenant.proto'),
      byFile('no/such.proto'),
      bySymbol('shop.v1.Nothing'),
    );
    expect(answers.map(errorCode)).toEqual([5, 5, 5, 5, 5]);
  });

  test('tells what the details of refusals are, whatever the listener shows', async () => {
    const [answer] = await ask(service, '', bySymbol('google.rpc.ErrorInfo'));
    expect(names(answer)[0]).toBe('google/rpc/error_details.proto');
  });

  test('a dependency is sent once on a stream, the file asked for always', async () => {
    const [first, second, third] = await ask(
      service,
      'shop',
      bySymbol('shop.v1.ShopService'),
      byFile('shop/v1/shop.proto'),
      byFile('google/protobuf/descriptor.proto'),
    );
    expect(names(first)).toEqual(['shop/v1/shop.proto', 'google/protobuf/descriptor.proto']);
    expect(names(second)).toEqual(['shop/v1/shop.proto']);
    expect(names(third)).toEqual(['google/protobuf/descriptor.proto']);
  });

  test('knows extensions by number, and tells the numbers of a type', async () => {
    const containingType = 'google.protobuf.MethodOptions';
    const [found, missing, numbers, unknown] = await ask(
      service,
      'shop',
      { $case: 'fileContainingExtension', fileContainingExtension: { containingType, extensionNumber: 50999 } },
      { $case: 'fileContainingExtension', fileContainingExtension: { containingType, extensionNumber: 1 } },
      { $case: 'allExtensionNumbersOfType', allExtensionNumbersOfType: containingType },
      { $case: 'allExtensionNumbersOfType', allExtensionNumbersOfType: 'no.Such' },
    );
    expect(names(found)[0]).toBe('shop/v1/shop.proto');
    expect(errorCode(missing)).toBe(5);
    expect(numbers).toEqual({
      $case: 'allExtensionNumbersResponse',
      allExtensionNumbersResponse: { baseTypeName: containingType, extensionNumber: [50999] },
    });
    expect(errorCode(unknown)).toBe(5);
  });

  test('an empty question is an error on the stream, which goes on', async () => {
    const [empty, next] = await ask(service, '', undefined, list);
    expect(errorCode(empty)).toBe(3);
    expect(services(next)).toEqual(ALWAYS);
  });
});

test('descriptors are sent as they are, options that only others understand included', async () => {
  const own = fromBinary(FileDescriptorSetSchema, readOwnDescriptors()).file;
  const original = own.find(({ name }) => name === 'tollgate/admin/v1/tenant.proto')!;
  const [answer] = await ask(V1, 'tollgate', byFile('tollgate/admin/v1/tenant.proto'));
  expect(toBinary(FileDescriptorProtoSchema, files(answer)[0]!)).toEqual(toBinary(FileDescriptorProtoSchema, original));
});

test('one who asks much and reads slowly gets every answer, in order', async () => {
  const questions = Array.from({ length: 500 }, (_, i) =>
    i % 2 === 0 ? byFile('google/protobuf/descriptor.proto') : list,
  );
  const answers = await ask(V1, 'shop', ...questions);
  expect(answers.map((answer) => answer?.$case)).toEqual(
    questions.map((_, i) => (i % 2 === 0 ? 'fileDescriptorResponse' : 'listServicesResponse')),
  );
});
