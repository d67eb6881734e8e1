import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AuditServiceService as audit, ListAuditEntriesRequest } from '../../generated/tollgate/admin/v1/audit.ts';
import { Backend, BackendServiceService as backends } from '../../generated/tollgate/admin/v1/backend.ts';
import { Contract, ContractServiceService as contracts } from '../../generated/tollgate/admin/v1/contract.ts';
import { Quota_Period as Period, Plan } from '../../generated/tollgate/admin/v1/plan.ts';
import { MethodPolicy } from '../../generated/tollgate/policy/v1/policy.ts';
import { Code } from '../../src/grpc/status.ts';
import { readDetails } from '../control/details.ts';
import { shopDescriptors } from '../control/shop-descriptors.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { EVERYTHING } from '../support/everything-methods.ts';
import { type ClientCall, GrpcClient } from '../support/grpc-client.ts';
import {
  createBackend,
  createContract,
  deleteBackend,
  deleteContract,
  updateBackend,
  updateContract,
  withoutContracts,
} from '../support/registration.ts';
import { TLS_CERT, TLS_KEY } from '../support/test-config.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { refusalOf } from './refusal-of.ts';

// Backends and contracts that administrators register: in force at once, without a restart.

const backend = new EverythingBackend();
const other = new EverythingBackend();
let gateway: TestGateway;
let admin: AdminClient;
let client: GrpcClient;

beforeAll(async () => {
  await backend.start();
  await other.start();
  gateway = await startTestGateway({ backend: '', edit: withoutContracts });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
  client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
});
afterAll(async () => {
  client?.close();
  admin?.close();
  await gateway?.stop();
  backend.stop();
  other.stop();
});
/** What a test registered goes, so that the next begins with nothing. */
afterEach(async () => {
  const all = { pageSize: 1000, pageToken: '' };
  for (const { id } of (await admin.call(contracts.listContracts, all)).contracts) await deleteContract(admin, id);
  for (const { id } of (await admin.call(backends.listBackends, all)).backends) await deleteBackend(admin, id);
});

const reasonOf = async () => refusalOf(await client.call('Unary')).reason;

/** A call was refused, and this is what the admin is told. */
async function refusal(call: Promise<unknown>) {
  const error = await call.then(
    () => Promise.reject(new Error('the call succeeded')),
    (failure: ServiceError) => failure,
  );
  const { info, fields, preconditions } = readDetails(error.metadata);
  return { code: error.code, text: error.details, reason: info?.reason, fields, preconditions };
}

/** Of the public listener, by reflection. */
async function services(): Promise<string> {
  const seen = await client.call('BidiStream', {
    path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    // ServerReflectionRequest{list_services: "*"}
    messages: [Buffer.from([0x3a, 0x01, 0x2a])],
  });
  return Buffer.concat(seen.messages).toString('latin1');
}

describe('a backend and a contract', () => {
  test('are called as soon as they are registered, and shown by reflection; a deleted contract is unknown', async () => {
    expect(await reasonOf()).toBe('METHOD_UNKNOWN');
    expect(await services()).not.toContain(EVERYTHING);

    await createBackend(admin, 'shop', [backend.address]);
    const created = await createContract(admin, 'things', { backend: 'shop' });
    expect(created.methods).toContain(`${EVERYTHING}/Unary`);
    const answer = await client.call('Unary', { messages: [Buffer.from('hello')] });
    expect([answer.code, String(answer.messages[0])]).toEqual([Code.OK, 'hello']);
    expect(backend.last.metadata['x-tenant-id']).toBe('alpha');
    expect(await services()).toContain(EVERYTHING);

    await deleteContract(admin, 'things');
    expect(await reasonOf()).toBe('METHOD_UNKNOWN');
    expect(await services()).not.toContain(EVERYTHING);
  });

  test('follow the contract: its listeners, its policy over that of the descriptors', async () => {
    await createBackend(admin, 'shop', [backend.address]);
    await createContract(admin, 'things', { backend: 'shop', listeners: ['admin'] });
    expect(await reasonOf()).toBe('METHOD_UNKNOWN');

    await updateContract(admin, 'things', { listeners: ['public', 'admin'] }, 'listeners');
    expect(await reasonOf()).toBeUndefined();

    const policy = { [`${EVERYTHING}/Unary`]: MethodPolicy.fromPartial({ requiredScopes: ['nobody.has'] }) };
    await updateContract(admin, 'things', { policy }, 'policy');
    expect(await reasonOf()).toBe('SCOPE_MISSING');
  });

  test('over TLS, to a backend that an authority of theirs vouches for, and to no other', async () => {
    const [cert, key] = [readFileSync(TLS_CERT), readFileSync(TLS_KEY)];
    const secure = new EverythingBackend();
    await secure.start(ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }]));
    try {
      const tls = { serverName: 'localhost', caPem: cert.toString() };
      await createBackend(admin, 'shop', [secure.address], { tls });
      await createContract(admin, 'things', { backend: 'shop' });
      expect(await reasonOf()).toBeUndefined();
      await updateBackend(admin, 'shop', { tls: { serverName: 'another.name', caPem: tls.caPem } }, 'tls');
      expect(await reasonOf()).toBe('BACKEND_UNAVAILABLE');
      await updateBackend(admin, 'shop', { tls: { serverName: 'localhost', caPem: '' } }, 'tls');
      expect(await reasonOf()).toBe('BACKEND_UNAVAILABLE');
    } finally {
      secure.stop();
    }
  });

  test('take calls where the endpoints now are, while those that run go on where they were', async () => {
    await createBackend(admin, 'shop', [backend.address]);
    await createContract(admin, 'things', { backend: 'shop' });
    const { call, ended } = await openStream();
    const before = other.calls.length;

    await updateBackend(admin, 'shop', { endpoints: [other.address] }, 'endpoints');
    expect(await reasonOf()).toBeUndefined();
    expect(other.calls.length).toBe(before + 1);

    call.write?.(Buffer.from('second'));
    call.end?.();
    const answer = await ended;
    expect([answer.code, answer.messages.map(String)]).toEqual([Code.OK, ['first', 'second']]);
  });

  test('go while a call runs: it ends as the backend ends it, and then its connection is closed', async () => {
    const closed = Promise.withResolvers<void>();
    const relay = createServer((socket) => {
      socket.pipe(connect(backend.port, '127.0.0.1')).pipe(socket);
      socket.on('error', () => {});
      socket.on('close', () => closed.resolve());
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const { port } = relay.address() as AddressInfo;
    await createBackend(admin, 'shop', [`127.0.0.1:${port}`]);
    await createContract(admin, 'things', { backend: 'shop' });
    const { call, ended } = await openStream();
    await deleteContract(admin, 'things');
    await deleteBackend(admin, 'shop');
    expect(await reasonOf()).toBe('METHOD_UNKNOWN');

    call.write?.(Buffer.from('second'));
    call.end?.();
    const answer = await ended;
    expect([answer.code, answer.messages.map(String)]).toEqual([Code.OK, ['first', 'second']]);
    await closed.promise;
    relay.close();
  });

  /** A stream that runs: the backend has echoed its first message. */
  async function openStream() {
    const { promise, resolve } = Promise.withResolvers<ClientCall>();
    const ended = client.call('BidiStream', {
      messages: [Buffer.from('first')],
      keepOpen: true,
      onMessage: (call, count) => count === 1 && resolve(call),
    });
    return { call: await promise, ended };
  }
});

describe('an endpoint is refused', () => {
  test.each([
    ['169.254.169.254:80', 'link-local'],
    ['[::ffff:169.254.169.254]:80', 'link-local'],
    ['[fe80::1]:80', 'link-local'],
    ['0.0.0.0:80', 'unspecified'],
    ['unix:/var/run/docker.sock', 'registration: {unix_sockets: true}'],
    ['127.0.0.1:0', 'port 0'],
    ['http://example.com', 'host:port'],
  ])('%s', async (endpoint, why) => {
    const { code, fields } = await refusal(createBackend(admin, 'shop', [backend.address, endpoint]));
    expect(code).toBe(Code.INVALID_ARGUMENT);
    expect(fields).toEqual([{ field: 'backend.endpoints[1]', description: expect.stringContaining(why) }]);
    await createBackend(admin, 'shop', [backend.address]);
    expect((await refusal(updateBackend(admin, 'shop', { endpoints: [endpoint] }, 'endpoints'))).code).toBe(code);
  });

  test.each(['127.0.0.1', '[::ffff:127.0.0.1]', 'localhost'])(
    'where the gateway itself listens, written as %s',
    async (host) => {
      for (const port of [gateway.admin, gateway.public]) {
        const { code, text } = await refusal(createBackend(admin, 'shop', [`${host}:${port}`]));
        expect([code, text]).toEqual([Code.INVALID_ARGUMENT, expect.stringContaining('this gateway itself')]);
      }
    },
  );

  // A name to every check of addresses, and what it resolves to is known when it is connected to.
  test.each([
    ['the metadata service', '2852039166', () => 80, 'link-local'],
    ['the gateway itself', '2130706433', () => gateway.admin, 'where this gateway itself listens'],
  ])('when its name turns out to be %s', async (_, host, port, why) => {
    const seen = gateway.logs.length;
    await createBackend(admin, 'shop', [`${host}:${port()}`]);
    await createContract(admin, 'things', { backend: 'shop' });
    const { reason, metadata } = refusalOf(await client.call('Unary'));
    expect([reason, metadata.why]).toEqual(['BACKEND_UNAVAILABLE', 'connect_failed']);
    expect(gateway.logs.slice(seen).join()).toContain(why);
  });
});

describe('a change is refused', () => {
  test('that takes away a backend which a contract has', async () => {
    await createBackend(admin, 'shop', [backend.address]);
    await createContract(admin, 'things', { backend: 'shop' });
    const { code, reason, preconditions } = await refusal(deleteBackend(admin, 'shop'));
    expect([code, reason]).toEqual([Code.FAILED_PRECONDITION, 'BACKEND_IN_USE']);
    expect(preconditions).toMatchObject([{ subject: 'contracts/things' }]);
    expect(await reasonOf()).toBeUndefined();
  });

  test('that gives a contract a backend which is not there, or is the gateway itself', async () => {
    expect((await refusal(createContract(admin, 'things', { backend: 'shop' }))).reason).toBe('BACKEND_UNKNOWN');
    const own = await refusal(createContract(admin, 'things', { backend: 'control' }));
    expect(own.fields).toMatchObject([{ field: 'contract.backend' }]);
  });

  test('that takes a method of another contract, or a name of the gateway', async () => {
    await createBackend(admin, 'shop', [backend.address]);
    await createContract(admin, 'things', { backend: 'shop' });
    const taken = await refusal(createContract(admin, 'again', { backend: 'shop' }));
    expect([taken.reason, taken.preconditions[0]?.subject]).toEqual(['METHOD_TAKEN', 'contracts/things']);
    for (const name of ['tollgate', 'health']) {
      expect((await refusal(createContract(admin, name, { backend: 'shop' }))).fields).toMatchObject([
        { field: 'contract_id' },
      ]);
    }
    expect((await refusal(createBackend(admin, 'control', [backend.address]))).fields).toMatchObject([
      { field: 'backend_id' },
    ]);
  });

  test('whose descriptors or policy are wrong: with everything that is', async () => {
    await createBackend(admin, 'shop', [backend.address]);
    const noDescriptors = createContract(admin, 'things', { backend: 'shop', descriptorSet: Buffer.from('nonsense') });
    expect((await refusal(noDescriptors)).fields).toEqual([
      { field: 'contract.descriptor_set', description: expect.stringContaining('FileDescriptorSet') },
    ]);
    const noListener = createContract(admin, 'things', { backend: 'shop', listeners: ['public', 'none'] });
    expect((await refusal(noListener)).fields).toEqual([
      { field: 'contract.listeners[1]', description: expect.stringContaining('public, admin') },
    ]);
    const nothingRight = createContract(admin, 'things', {
      backend: 'No',
      listeners: ['none'],
      descriptorSet: Buffer.alloc(3),
    });
    expect((await refusal(nothingRight)).fields?.map(({ field }) => field)).toEqual([
      'contract.backend',
      'contract.listeners[0]',
      'contract.descriptor_set',
    ]);
    const policy = {
      [`${EVERYTHING}/Unry`]: MethodPolicy.fromPartial({ cost: 2 }),
      [`${EVERYTHING}/Unary`]: MethodPolicy.fromPartial({ limit: 'NO' }),
    };
    const { fields } = await refusal(createContract(admin, 'things', { backend: 'shop', policy }));
    expect(fields).toEqual([
      { field: `contract.policy["${EVERYTHING}/Unry"]`, description: expect.stringContaining('did you mean') },
      { field: `contract.policy["${EVERYTHING}/Unary"]`, description: expect.stringContaining('limit') },
    ]);
    const large = createContract(admin, 'things', { backend: 'shop', descriptorSet: Buffer.alloc(1_000_001) });
    expect((await refusal(large)).fields).toMatchObject([{ field: 'contract.descriptor_set' }]);
    expect(await reasonOf()).toBe('METHOD_UNKNOWN');
  });

  test('by an etag that is no longer that of the backend, and one whose authorities are none', async () => {
    const { etag } = await createBackend(admin, 'shop', [backend.address]);
    await updateBackend(admin, 'shop', { maxConnections: 2 }, 'max_connections');
    expect((await refusal(updateBackend(admin, 'shop', { maxConnections: 3, etag }, 'max_connections'))).reason).toBe(
      'ETAG_MISMATCH',
    );
    const tls = { serverName: '', caPem: 'nonsense' };
    expect((await refusal(updateBackend(admin, 'shop', { tls }, 'tls'))).fields).toMatchObject([
      { field: 'backend.tls.ca_pem' },
    ]);
  });
});

test('what is only checked is not there, and what is asked for twice is done once', async () => {
  const request = { backendId: 'shop', backend: Backend.fromPartial({ endpoints: [backend.address] }) };
  await admin.call(backends.createBackend, { ...request, validateOnly: true });
  await expect(admin.call(backends.getBackend, { id: 'shop' })).rejects.toMatchObject({ code: Code.NOT_FOUND });
  const first = await admin.call(backends.createBackend, { ...request, requestId: 'once' });
  expect(await admin.call(backends.createBackend, { ...request, requestId: 'once' })).toEqual(first);
});

test('what is only checked says whose calls of late another policy would have refused', async () => {
  await createBackend(admin, 'shop', [backend.address]);
  await createContract(admin, 'things', { backend: 'shop' });
  const quotas = [{ metric: 'units', limit: 10, period: Period.PERIOD_DAY, timeZone: 'UTC' }];
  const ten = Plan.fromPartial({ quotas });
  await admin.createPlan('ten', ten);
  await admin.createTenant('careful', 'ten');
  const { key } = await admin.createKey('careful', 'careful');
  const careful = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
  for (let i = 0; i < 4; i++) expect((await careful.call('Unary')).code).toBe(Code.OK);
  careful.close();

  const policy = { [`${EVERYTHING}/Unary`]: MethodPolicy.fromPartial({ cost: 5 }) };
  const check = (fields: Partial<Contract>, ...updateMask: string[]) => {
    const contract = Contract.fromPartial({ id: 'things', ...fields });
    return admin.call(contracts.updateContract, { contract, updateMask, validateOnly: true });
  };
  const affected = ({ evidence }: Contract) => evidence?.affected.filter(({ tenantId }) => tenantId === 'careful');
  // Two calls of 5 units are within 10, and two were more.
  const common = { tenantId: 'careful', method: `${EVERYTHING}/Unary`, calls: 4, newlyAdmitted: 0 };
  expect(affected(await check({ policy }, 'policy'))).toEqual([
    { ...common, newlyRefused: 2, rule: 'quota units/day' },
  ]);
  // Descriptors without the method.
  expect(affected(await check({ descriptorSet: Buffer.from(shopDescriptors()) }, 'descriptor_set'))).toEqual([
    { ...common, newlyRefused: 4, rule: 'contract' },
  ]);
  expect(affected(await check({ listeners: ['public', 'admin'] }, 'listeners'))).toEqual([]);
  const { evidence, policy: unchanged } = await admin.call(contracts.getContract, { id: 'things' });
  expect([evidence, unchanged]).toEqual([undefined, {}]);
});

test('lists come in pages, and contracts in them without their descriptors', async () => {
  for (const id of ['one', 'two', 'three']) await createBackend(admin, id, [backend.address]);
  const page = await admin.call(backends.listBackends, { pageSize: 2, pageToken: '' });
  const rest = await admin.call(backends.listBackends, { pageSize: 2, pageToken: page.nextPageToken });
  expect([page, rest].map((each) => each.backends.map(({ id }) => id))).toEqual([['one', 'three'], ['two']]);
  expect(rest.nextPageToken).toBe('');

  const created = await createContract(admin, 'things', { backend: 'one' });
  const listed = await admin.call(contracts.listContracts, { pageSize: 0, pageToken: '' });
  expect(listed.contracts).toEqual([{ ...created, descriptorSet: Buffer.alloc(0) }]);
  // What was listed and is sent back as it is changes nothing.
  const again = await admin.call(contracts.updateContract, { contract: listed.contracts[0], updateMask: undefined });
  expect(again).toEqual(created);
});

test('the audit log tells of a contract by the digest of its descriptors', async () => {
  await createBackend(admin, 'shop', [backend.address]);
  await createContract(admin, 'things', { backend: 'shop' });
  const { entries } = await admin.call(audit.listAuditEntries, ListAuditEntriesRequest.fromPartial({ pageSize: 1 }));
  expect(entries[0]).toMatchObject({
    resource: 'contracts/things',
    changes: [
      { after: { backend: 'shop', descriptorSet: expect.stringMatching(/^\d+ octets, SHA-256 [0-9a-f]{64}$/) } },
    ],
  });
});

test('another contract beside the first is another', async () => {
  await createBackend(admin, 'shop', [backend.address]);
  await createContract(admin, 'things', { backend: 'shop' });
  const shop = await createContract(admin, 'shop', { backend: 'shop', descriptorSet: Buffer.from(shopDescriptors()) });
  expect(shop.methods).not.toContain(`${EVERYTHING}/Unary`);
  expect(await services()).toContain('shop.v1');
  await deleteContract(admin, 'things');
  expect(await services()).not.toContain(EVERYTHING);
  expect(await services()).toContain('shop.v1');
});
