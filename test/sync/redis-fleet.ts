import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Plan } from '../../generated/tollgate/admin/v1/plan.ts';
import { Tenant, Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { Replica } from '../../src/store/embedded/replica.ts';
import { connectRedis, type RedisConnection, type RedisSettings } from '../../src/store/redis/connect.ts';
import { RedisDocuments } from '../../src/store/redis/documents.ts';
import { Gateways } from '../../src/store/redis/gateways.ts';
import { loadScripts, Scripts } from '../../src/store/redis/scripts.ts';
import type { Write } from '../../src/store/store.ts';
import { openRedisSync, type RedisSync, type SyncState } from '../../src/sync/redis-sync.ts';
import { restore } from '../../src/sync/restore.ts';
import { nextNonce } from '../store/redis/support.ts';

const scripts = loadScripts();
const clock = { now: () => Date.now() };

/** A gateway's sync, with a folder that outlives it. */
export class Member {
  readonly id: string;
  readonly folder = mkdtempSync(join(tmpdir(), 'tollgate-sync-'));
  readonly states: SyncState[] = [];
  readonly errors: unknown[] = [];
  /** Each version that listeners were told of, and the hashes with it. */
  readonly versions: number[] = [];
  readonly hashes: string[] = [];
  readonly #settings: RedisSettings;
  readonly #pollMs: number;
  #running: { sync: RedisSync; replica: Replica; documents: RedisDocuments; connection: RedisConnection } | undefined;
  #waiting: { version: number; resolve: () => void }[] = [];

  constructor(id: string, settings: RedisSettings, pollMs = 1000) {
    this.id = id;
    this.#settings = settings;
    this.#pollMs = pollMs;
  }

  get sync(): RedisSync {
    return this.#get().sync;
  }
  get replica(): Replica {
    return this.#get().replica;
  }
  get documents(): RedisDocuments {
    return this.#get().documents;
  }
  get connection(): RedisConnection {
    return this.#get().connection;
  }

  async start(): Promise<this> {
    const connection = connectRedis(this.#settings, { onError: () => {} });
    const run = new Scripts(connection.client, scripts);
    const documents = new RedisDocuments({ connection, scripts: run, clock, nonce: nextNonce });
    const replica = Replica.open(join(this.folder, 'replica.db'));
    try {
      const sync = await openRedisSync({
        documents,
        connection,
        gateways: new Gateways(connection, run),
        replica,
        methods: new Map(),
        id: this.id,
        address: () => `127.0.0.1:${this.id}`,
        onListenerError: (error) => void this.errors.push(error),
        onState: (state) => void this.states.push(state),
        pollMs: this.#pollMs,
        restore: () => restore({ connection, scripts: run, replica, nonce: nextNonce }),
      });
      this.#running = { sync, replica, documents, connection };
      sync.onChange((change, snapshot) => {
        this.versions.push(change.version);
        this.hashes.push(...change.hashes);
        for (const waiter of this.#waiting) if (snapshot.version >= waiter.version) waiter.resolve();
      });
      return this;
    } catch (error) {
      connection.close();
      replica.close();
      throw error;
    }
  }

  /** Resolves when this version is applied. */
  async reached(version: number): Promise<void> {
    if (this.sync.current.version >= version) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ version, resolve });
    await promise;
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    await running.sync.close();
    running.connection.close();
    running.replica.close();
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #get() {
    if (this.#running === undefined) throw new Error(`${this.id} does not run`);
    return this.#running;
  }
}

export const plan = (id: string, concurrency = 0): Write => ({
  op: 'put',
  kind: 'plan',
  id,
  body: Plan.encode({ id, concurrency, priority: 0, etag: '', limits: [], quotas: [], allowed: [] }).finish(),
});

export const tenant = (id: string, displayName = id): Write => ({
  op: 'put',
  kind: 'tenant',
  id,
  reference: 'free',
  body: Tenant.encode(Tenant.fromPartial({ id, displayName, plan: 'free', state: Tenant_State.STATE_ACTIVE })).finish(),
});

export const key = (id: string, parent: string, hash: string): Write => ({
  op: 'put',
  kind: 'api_key',
  id,
  parent,
  hash,
  body: new Uint8Array(),
});

/** Everything that a snapshot says of plans and tenants among `ids`. */
export function contents(sync: RedisSync, ids: Iterable<string>): unknown {
  const { current } = sync;
  return {
    version: current.version,
    plans: [...current.plans.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    tenants: [...ids].map((id) => current.tenants.get(id)),
    size: current.tenants.size,
  };
}
