import type { ServiceError } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { BackendServiceService as backends } from '../../generated/tollgate/admin/v1/backend.ts';
import { ContractServiceService as contracts } from '../../generated/tollgate/admin/v1/contract.ts';
import { FleetServiceService as fleet } from '../../generated/tollgate/admin/v1/fleet.ts';
import { type Config, Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import { Code } from '../../src/grpc/status.ts';
import { readDetails } from '../control/details.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { EVERYTHING } from '../support/everything-methods.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { startRedis } from '../support/redis-server.ts';
import {
  createBackend,
  createContract,
  deleteBackend,
  deleteContract,
  updateBackend,
  updateContract,
  withoutContracts,
} from '../support/registration.ts';
import { refusalOf } from './refusal-of.ts';

// What was registered is in the store: it survives, is on every gateway of a fleet, and stands beside the configuration file.

/** Processes are started again and again, on a machine that has other things to do. */
const TIMEOUT_MS = 120_000;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function startBackend(): Promise<EverythingBackend> {
  const backend = await new EverythingBackend().start();
  undo.push(() => backend.stop());
  return backend;
}

async function startGateway(options: Parameters<typeof GatewayProcess.start>[0]): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start(options);
  undo.push(() => gateway.dispose());
  return gateway;
}

/** Of a gateway as it now is: after a start its ports are others. */
function clientsOf(gateway: GatewayProcess, adminKey = gateway.config.adminKey, key = gateway.config.key('alpha')) {
  const admin = new AdminClient(gateway.admin, adminKey);
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, key);
  undo.push(
    () => admin.close(),
    () => client.close(),
  );
  return { admin, reasonOf: async () => refusalOf(await client.call('Unary')).reason };
}

test(
  'what was acknowledged survives kill -9',
  async () => {
    const backend = await startBackend();
    const gateway = await startGateway({ backend: '', edit: withoutContracts });
    const before = clientsOf(gateway);
    await createBackend(before.admin, 'shop', [backend.address]);
    await createContract(before.admin, 'things', { backend: 'shop' });
    await gateway.kill('SIGKILL');
    await gateway.start();
    const after = clientsOf(gateway);
    expect(await after.reasonOf()).toBeUndefined();
    expect((await after.admin.call(contracts.getContract, { id: 'things' })).methods).toContain(`${EVERYTHING}/Unary`);
  },
  TIMEOUT_MS,
);

test(
  'every gateway of a fleet has it, in each of its states, and one that starts while Redis is away',
  async () => {
    const [backend, other] = [await startBackend(), await startBackend()];
    const redis = await startRedis({ durable: true });
    undo.push(() => redis.stop());
    const edit = (config: Config) => {
      withoutContracts(config);
      config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url: redis.url }) } };
      // What is left of a quota nobody knows who has just started without Redis.
      for (const plan of config.plans) plan.quotas = [];
    };
    const first = await startGateway({ backend: '', edit });
    const second = await startGateway({ backend: '', edit });
    // The last to start has set the keys of all.
    const { adminKey } = second.config;
    const key = second.config.key('alpha');
    const { admin } = clientsOf(first, adminKey, key);
    const { reasonOf } = clientsOf(second, adminKey, key);
    const everywhere = async () =>
      expect((await admin.call(fleet.waitForVersion, { version: 0, timeout: { seconds: 10, nanos: 0 } })).reached).toBe(
        true,
      );

    await createBackend(admin, 'shop', [backend.address]);
    await createContract(admin, 'things', { backend: 'shop' });
    await everywhere();
    expect(await reasonOf()).toBeUndefined();
    expect(backend.count()).toBe(1);

    await updateBackend(admin, 'shop', { endpoints: [other.address] }, 'endpoints');
    await everywhere();
    expect(await reasonOf()).toBeUndefined();
    expect([backend.count(), other.count()]).toEqual([1, 1]);

    await deleteContract(admin, 'things');
    await everywhere();
    expect(await reasonOf()).toBe('METHOD_UNKNOWN');
    await createContract(admin, 'things', { backend: 'shop' });
    await everywhere();

    await second.kill('SIGTERM');
    await redis.kill();
    await second.start();
    expect(await clientsOf(second, adminKey, key).reasonOf()).toBeUndefined();
    expect(other.count()).toBe(2);
  },
  TIMEOUT_MS,
);

test(
  'names of the configuration file are shown among the others, and changed there alone',
  async () => {
    const backend = await startBackend();
    const gateway = await startGateway({ backend: backend.address });
    const { admin, reasonOf } = clientsOf(gateway);
    await createBackend(admin, 'another', [backend.address]);
    const listed = await admin.call(backends.listBackends, { pageSize: 0, pageToken: '' });
    expect(listed.backends.map(({ id, fromFile }) => [id, fromFile])).toEqual([
      ['another', false],
      ['everything', true],
    ]);
    const shown = await admin.call(contracts.getContract, { id: 'everything' });
    expect(shown).toMatchObject({ backend: 'everything', listeners: ['public'], fromFile: true });
    expect(shown.methods).toContain(`${EVERYTHING}/Unary`);

    for (const change of [
      () => createBackend(admin, 'everything', [backend.address]),
      () => updateBackend(admin, 'everything', { maxConnections: 1 }, 'max_connections'),
      () => deleteBackend(admin, 'everything'),
      () => createContract(admin, 'everything', { backend: 'another' }),
      () => updateContract(admin, 'everything', { listeners: [] }, 'listeners'),
      () => deleteContract(admin, 'everything'),
    ]) {
      const error: ServiceError = await change().then(
        () => Promise.reject(new Error('the call succeeded')),
        (failure) => failure,
      );
      expect([error.code, readDetails(error.metadata).info?.reason]).toEqual([
        Code.FAILED_PRECONDITION,
        'DEFINED_IN_FILE',
      ]);
      expect(error.details).toContain('tollgate.yaml');
    }
    expect(await reasonOf()).toBeUndefined();
  },
  TIMEOUT_MS,
);

test(
  'a contract may have a backend of the file, and Unix sockets are endpoints where the file says so',
  async () => {
    const backend = await startBackend();
    const gateway = await startGateway({
      backend: backend.address,
      edit: (config) => {
        config.contracts = [];
        config.listeners[0]!.contracts = [];
        config.registration = { unixSockets: true };
      },
    });
    const { admin, reasonOf } = clientsOf(gateway);
    await createBackend(admin, 'local', [`unix:${gateway.folder}/none.sock`]);
    await createContract(admin, 'things', { backend: 'local' });
    expect(await reasonOf()).toBe('BACKEND_UNAVAILABLE');
    await updateContract(admin, 'things', { backend: 'everything' }, 'backend');
    expect(await reasonOf()).toBeUndefined();
  },
  TIMEOUT_MS,
);
