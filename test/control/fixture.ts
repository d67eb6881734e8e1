import { tmpdir } from 'node:os';
import { Client, credentials, Metadata, type MethodDefinition, type ServiceError } from '@grpc/grpc-js';
import { GetStateResponse } from '../../generated/tollgate/admin/v1/diagnostics.ts';
import { GetMetricsResponse } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { type BreakerAdmin, LocalBreakers } from '../../src/breaker/breaker-admin.ts';
import { builtinContracts } from '../../src/contracts/builtin.ts';
import type { Contract } from '../../src/contracts/contract.ts';
import { Changes } from '../../src/control/changes.ts';
import { type ControlServer, startControlServer } from '../../src/control/control-server.ts';
import type { EvidenceSource } from '../../src/control/decision/evidence.ts';
import type { DecisionSource } from '../../src/control/decision/explain.ts';
import type { FleetSource } from '../../src/control/fleet-service.ts';
import { Health } from '../../src/control/health.ts';
import type { MetricsSource } from '../../src/control/metrics-service.ts';
import type { UsageSource } from '../../src/control/usage/tenant-usage.ts';
import { DecisionLog } from '../../src/decisions/decision-log.ts';
import { DirectAnswers } from '../../src/routing/direct-answers.ts';
import type { Journal } from '../../src/store/journal.ts';
import type { DocumentStore } from '../../src/store/store.ts';
import type { ConfigSync } from '../../src/sync/config-sync.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import type { TenantManager } from '../../src/tenants/tenant-manager.ts';
import { type OpenedTenants, openTenants } from './open-tenants.ts';
import { startOwnerRelay } from './owner-relay.ts';

export const REQUEST_ID = '0190b6a4-0000-7000-8000-000000000001';

export interface ControlFixture {
  readonly server: ControlServer;
  readonly health: Health;
  readonly client: Client;
  /** For clients that present a key, as a terminal's do: whoever comes here is an owner. */
  readonly ownerAddress: string;
  /** What was logged, as JSON lines. */
  readonly log: string[];
  /** As the gateway calls: it says who calls, and which contracts the listener shows. */
  metadata(contracts?: string): Metadata;
  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<Response>;
  /** The error of a call that must fail. */
  failure<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<ServiceError>;
  stop(): Promise<void>;
}

type FixtureDecisions = DecisionSource & EvidenceSource;

export interface FixtureOptions {
  readonly tenants: TenantManager;
  /** Where the tenants are; by default a store that is empty. */
  readonly documents?: DocumentStore;
  readonly journal?: Journal;
  readonly sync?: ConfigSync;
  readonly usage?: UsageSource;
  readonly decisions?: FixtureDecisions;
  readonly metrics?: MetricsSource;
  readonly breakers?: BreakerAdmin;
  readonly fleet?: FleetSource;
  readonly contracts?: readonly Contract[];
}

/** Metrics that answer what they are told to. */
export function fakeMetrics(get: MetricsSource['get']): MetricsSource {
  return {
    get,
    advance: async (request, audience) => ({
      encoded: GetMetricsResponse.encode(await get(request, audience)).finish(),
      cursors: new Map([['test', 1]]),
      sinceStart: true,
    }),
  };
}

/** A gateway that has made no calls yet, and is not asked to explain any. */
function withoutDecisions({ sync, documents }: Pick<OpenedTenants, 'sync' | 'documents'>): FixtureDecisions {
  return {
    sync,
    documents,
    chain: notExpected('chain'),
    authentication: notExpected('authentication'),
    quotas: notExpected('quotas'),
    methodsOf: () => undefined,
    calendar: Date.now,
    decided: new DecisionLog(Date.now),
  };
}

/** For tests of other services: whoever asks fails the test. */
function notExpected<T extends object>(what: string): T {
  return new Proxy({} as T, {
    get(_, name) {
      throw new Error(`${what}.${String(name)} was not expected to be used`);
    },
  });
}

/** A control server on its socket, and a client that speaks as the gateway does. */
export async function startFixture(options: FixtureOptions): Promise<ControlFixture> {
  const health = new Health();
  const log: string[] = [];
  const { documents, journal, sync } = options;
  const given = documents && journal && sync && { documents, journal, sync };
  const own = given ? undefined : await openTenants();
  const store = given ?? own;
  if (store === undefined) throw new Error('a part of the store is missing');
  const logger = createLogger('debug', { write: (line) => void log.push(line) });
  const now = () => Date.now();
  const contracts = [...builtinContracts(), ...(options.contracts ?? [])];
  const server = await startControlServer({
    tenants: options.tenants,
    changes: new Changes({ ...store, tenants: options.tenants, now, log: logger }),
    changelog: store,
    direct: new DirectAnswers(() => {}),
    metrics: options.metrics ?? fakeMetrics(async () => GetMetricsResponse.fromPartial({})),
    usage: options.usage ?? notExpected<UsageSource>('usage'),
    decisions: options.decisions ?? withoutDecisions(store),
    breakers: options.breakers ?? new LocalBreakers(() => performance.now()),
    fleet: options.fleet ?? { view: async () => ({ version: 0, nonce: '', gateways: [] }), restore: async () => false },
    channelz: { listeners: () => [], backends: () => [], now: () => performance.now() },
    diagnostics: { findCall: () => undefined, epoch: () => 0, state: async () => GetStateResponse.fromPartial({}) },
    now,
    contracts: new Map(contracts.map((contract) => [contract.name, contract])),
    health,
    log: logger,
    socketFolders: [tmpdir(), '/tmp'],
  });
  const relay = await startOwnerRelay(server.path);
  const client = new Client(`unix:${server.path}`, credentials.createInsecure());
  const metadata = (visible = 'tollgate'): Metadata => {
    const map = new Metadata();
    map.set('x-tenant-id', 'admins');
    map.set('x-principal-id', 'key1');
    map.set('x-request-id', REQUEST_ID);
    map.set('x-tollgate-scopes', 'tollgate.owner');
    map.set('x-tollgate-remote-address', '192.0.2.7');
    map.set('x-tollgate-contracts', visible);
    return map;
  };
  const call: ControlFixture['call'] = (method, request) =>
    new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method;
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata(), (error, value) =>
        error ? reject(error) : resolve(value!),
      );
    });
  return {
    server,
    health,
    client,
    ownerAddress: relay.address,
    log,
    metadata,
    call,
    failure: (method, request) =>
      call(method, request).then(
        () => Promise.reject(new Error('the call succeeded')),
        (error: ServiceError) => error,
      ),
    async stop() {
      client.close();
      await relay.close();
      await server.stop();
      await own?.close();
    },
  };
}
