import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Breakers, FleetBreakers, LocalBreakers } from './breaker/breaker-admin.ts';
import type { ClockSource } from './chain/turn-clock.ts';
import type { MethodEntry } from './contracts/method-entry.ts';
import { openEmbeddedStore } from './store/embedded/open.ts';
import { Replica } from './store/embedded/replica.ts';
import type { Journal, Retention } from './store/journal.ts';
import type { QuotaLedger, RateLedger } from './store/ledger.ts';
import { openRedisBreakers } from './store/redis/breakers.ts';
import { checkServer } from './store/redis/check-server.ts';
import { connectRedis, type RedisSettings } from './store/redis/connect.ts';
import { RedisDocuments } from './store/redis/documents.ts';
import { type FleetView, Gateways } from './store/redis/gateways.ts';
import { RedisJournal } from './store/redis/journal.ts';
import { RedisKeyUses } from './store/redis/key-uses.ts';
import { RedisQuotas } from './store/redis/quotas.ts';
import { RedisRates } from './store/redis/rates.ts';
import { RedisTime } from './store/redis/redis-time.ts';
import { ReportExchange } from './store/redis/report-exchange.ts';
import { loadScripts, Scripts } from './store/redis/scripts.ts';
import { type SilenceCounts, watchSilence } from './store/redis/watch-silence.ts';
import type { DocumentStore, KeyUseStore, QuotaStore, RateStore } from './store/store.ts';
import type { ConfigSync } from './sync/config-sync.ts';
import { openLocalSync } from './sync/local-sync.ts';
import { openRedisSync, type RedisSync } from './sync/redis-sync.ts';
import { restore } from './sync/restore.ts';
import type { Logger } from './telemetry/logger.ts';

export interface StateOptions {
  /** The SQLite file: the store, or a copy of what Redis has. */
  readonly path: string;
  readonly redis: RedisSettings | undefined;
  /** Of the audit log. */
  readonly retention: Retention;
  readonly methods: ReadonlyMap<string, MethodEntry>;
  readonly clock: ClockSource;
  /** The same, asked once a turn of the event loop: for what every call asks. */
  readonly turnClock: ClockSource;
  readonly log: Logger;
  /** Of this gateway, for people; asked when it listens. */
  readonly address: () => string;
}

/** What a gateway decides by: its own, or the fleet's. */
export interface State {
  /** Of this gateway, among those that share the state. */
  readonly id: string;
  readonly documents: DocumentStore;
  readonly journal: Journal;
  /** Where keys are looked up. */
  readonly credentials: Pick<DocumentStore, 'getByHash'>;
  readonly sync: ConfigSync;
  readonly keyUses: KeyUseStore;
  readonly rates: RateStore & RateLedger;
  readonly quotas: QuotaStore & QuotaLedger;
  readonly breakers: Breakers;
  /** Unix milliseconds, by which quotas begin anew. */
  readonly calendar: () => number;
  readonly liveGateways: () => number;
  /** Who shares the state. */
  view(): Promise<FleetView>;
  /** Gives the store what it has lost of the configuration. @returns whether it had. @throws StoreUnavailable */
  restore(): Promise<boolean>;
  readonly fleet: Fleet | undefined;
  close(): Promise<void>;
}

export interface Fleet {
  /** How its gateways ask each other what they have counted. */
  readonly reports: ReportExchange;
  readonly sync: RedisSync;
  readonly store: SilenceCounts;
}

/** @throws StoreUnusable */
export function openState(options: StateOptions): Promise<State> {
  return options.redis === undefined ? openOwn(options) : openShared(options, options.redis);
}

async function openOwn({ path, retention, methods, clock, turnClock, log, address }: StateOptions): Promise<State> {
  const store = openEmbeddedStore({ path, retention, clock });
  try {
    const onListenerError = (error: unknown) => log.error({ err: error }, 'unexpected');
    const sync = await openLocalSync({ documents: store.documents, methods, onListenerError });
    const breakers = new LocalBreakers(turnClock.monotonic);
    return {
      ...store,
      id: hostname(),
      credentials: store.documents,
      sync,
      breakers,
      calendar: turnClock.now,
      liveGateways: () => 1,
      async view() {
        const { version } = sync.current;
        const own = { id: hostname(), address: address(), version, seenMsAgo: 0, alive: true };
        return { version, nonce: '', gateways: [own] };
      },
      restore: async () => false,
      fleet: undefined,
      async close() {
        breakers.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openShared(options: StateOptions, redis: RedisSettings): Promise<State> {
  const { path, retention, methods, clock, turnClock, log, address } = options;
  const onError = (error: unknown) => log.error({ err: error }, 'unexpected');
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  try {
    // Decisions have a connection of their own: a page of documents would hold them up.
    const [decisions, control] = [connect(redis, log), connect(redis, log)];
    closers.push(
      () => decisions.close(),
      () => control.close(),
    );
    const files = loadScripts();
    const scripts = { decisions: new Scripts(decisions.client, files), control: new Scripts(control.client, files) };
    const replica = Replica.open(path);
    closers.push(() => replica.close());
    const nonce = () => randomBytes(9).toString('base64url');
    const id = `${hostname()}-${nonce()}`;
    const documents = new RedisDocuments({ connection: control, scripts: scripts.control, clock, nonce, retention });
    const gateways = new Gateways(control, scripts.control);
    const onState = stateLogger(log);
    const restoreCopy = () => restore({ connection: control, scripts: scripts.control, replica, nonce });
    const onListenerError = onError;
    const sync = await openRedisSync({
      documents,
      connection: control,
      gateways,
      replica,
      methods,
      id,
      address,
      onListenerError,
      onState,
      restore: restoreCopy,
    });
    closers.push(() => sync.close());
    if (sync.status.state !== 'away') for (const wrong of await checkServer(control.client)) log.warn(wrong);

    const { guard, counts } = watchSilence(() => decisions.client.ping(), { log, clock });
    closers.push(() => guard.close());
    const time = new RedisTime(clock);
    const parts = { connection: decisions, scripts: scripts.decisions, guard };
    const breakerStore = openRedisBreakers({ connection: control, scripts: scripts.control, onError: () => {} });
    const breakers = new FleetBreakers({ store: breakerStore, gateway: id, now: turnClock.monotonic });
    closers.push(() => breakers.close());
    const reports = new ReportExchange(control, () => sync.gateways.filter(({ alive }) => alive));
    closers.push(() => reports.close());
    return {
      id,
      documents,
      journal: new RedisJournal({ connection: control, scripts: scripts.control, clock, retention }),
      credentials: replica,
      sync,
      rates: new RedisRates(parts),
      quotas: new RedisQuotas({ ...parts, owner: id, time, onError }),
      keyUses: new RedisKeyUses({ connection: control, scripts: scripts.control }),
      breakers,
      calendar: time.now,
      liveGateways: () => sync.liveGateways,
      view: () => sync.view(),
      restore: () => sync.restore(),
      fleet: { sync, reports, store: counts },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Each broken connection is an error to ioredis; while it lasts, one line is enough, and others tell what it means. */
function connect(redis: RedisSettings, log: Logger) {
  return connectRedis(redis, { onError: (error) => log.debug({ err: error }, 'redis') });
}

function stateLogger(log: Logger): (state: RedisSync['status']['state'], previous: string, error: unknown) => void {
  return (state, _previous, error) => {
    if (state === 'synced') log.info('the configuration is in step with Redis');
    else if (state === 'away') log.warn({ err: error }, 'Redis is away: the last configuration stays in force');
    else
      log.error({ err: error, state }, 'the configuration in Redis cannot be used: the last good one stays in force');
  };
}
