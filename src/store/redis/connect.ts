import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import calculateSlot from 'cluster-key-slot';
import { Cluster, type CommonRedisOptions, Redis } from 'ioredis';

/** Where Redis is, and who we are to it. */
export interface RedisSettings {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** One server; the Sentinels; or some nodes of the Cluster. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly database: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly sentinel:
    | { readonly master: string; readonly username: string | undefined; readonly password: string | undefined }
    | undefined;
  /** Paths of PEM files; undefined: no TLS. */
  readonly tls:
    | {
        readonly ca: string | undefined;
        readonly serverName: string | undefined;
        readonly cert: string | undefined;
        readonly key: string | undefined;
      }
    | undefined;
  /** In front of every key and channel. */
  readonly keyPrefix: string;
}

export type RedisClient = Redis | Cluster;

export interface ConnectionEvents {
  /** Each connection that failed or broke, whatever the reason; ioredis connects again by itself. */
  readonly onError: (error: Error) => void;
}

/**
 * A connection, or one to each node of a Cluster. Commands fail at once while there is none: nothing is queued, and nothing
 * is sent twice. Long answers hold up short ones, so what must not wait has a connection of its own.
 */
export interface RedisConnection {
  readonly client: RedisClient;
  /** Keys of different tenants lie on different servers: no script may have both. */
  readonly isCluster: boolean;
  /** Which of the servers a key lies on. */
  lane(key: string): string;
  /** A key or channel with the prefix before it. Keys of one script share a hash tag: `{cfg}:version`. */
  key(name: string): string;
  /** Another connection that only listens to channels: to be subscribed at each `ready`. */
  subscriber(): RedisConnection;
  /** Resolves when commands are taken. @throws the last error when that is not so within `timeoutMs` */
  ready(timeoutMs: number): Promise<void>;
  /** Ends it; commands under way fail. */
  close(): void;
}

const CONNECT_TIMEOUT_MS = 2000;
/** A server that takes our bytes and sends none for so long, with commands under way, is taken for gone. */
const SOCKET_TIMEOUT_MS = 3000;
const MAX_RETRY_MS = 500;

/** Connects in the background. */
export function connectRedis(settings: RedisSettings, events: ConnectionEvents): RedisConnection {
  return new Connection(settings, events, {});
}

class Connection implements RedisConnection {
  readonly client: RedisClient;
  readonly #settings: RedisSettings;
  readonly #events: ConnectionEvents;
  #lastError: Error | undefined;

  constructor(settings: RedisSettings, events: ConnectionEvents, more: CommonRedisOptions) {
    this.#settings = settings;
    this.#events = events;
    this.client = open(settings, more);
    this.client.on('error', (error: Error) => {
      this.#lastError = error;
      events.onError(error);
    });
  }

  get isCluster(): boolean {
    return this.client instanceof Cluster;
  }

  lane(key: string): string {
    return this.client instanceof Cluster ? (this.client.slots[calculateSlot(key)]?.[0] ?? '') : '';
  }

  key(name: string): string {
    return this.#settings.keyPrefix + name;
  }

  subscriber(): RedisConnection {
    // Silence is normal there. ioredis' own way to subscribe again leaves a rejection to nobody when the connection breaks.
    const more = { autoResubscribe: false, socketTimeout: undefined };
    return new Connection(this.#settings, this.#events, more);
  }

  async ready(timeoutMs: number): Promise<void> {
    if (this.client.status === 'ready') return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(this.#lastError ?? new Error('no answer')), timeoutMs);
    this.client.once('ready', resolve);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.client.off('ready', resolve);
    }
  }

  close(): void {
    this.client.disconnect();
  }
}

function open(settings: RedisSettings, more: CommonRedisOptions): RedisClient {
  const { kind, nodes, database, sentinel } = settings;
  const options = { ...commonOptions(settings), ...more };
  if (kind === 'cluster') {
    return new Cluster([...nodes], {
      enableOfflineQueue: options.enableOfflineQueue,
      clusterRetryStrategy: retryDelay,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      slotsRefreshInterval: 5000,
      redisOptions: options,
    });
  }
  if (kind === 'sentinel') {
    return new Redis({
      ...options,
      db: database,
      sentinels: [...nodes],
      name: sentinel?.master ?? '',
      sentinelUsername: sentinel?.username,
      sentinelPassword: sentinel?.password,
      sentinelRetryStrategy: retryDelay,
      sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
      failoverDetector: true,
      enableTLSForSentinelMode: settings.tls !== undefined,
      sentinelTLS: options.tls,
    });
  }
  return new Redis({ ...options, ...nodes[0], db: database });
}

function commonOptions({ username, password, tls }: RedisSettings): CommonRedisOptions & { tls?: ConnectionOptions } {
  return {
    username,
    password,
    ...(tls === undefined ? {} : { tls: readTls(tls) }),
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    retryStrategy: retryDelay,
    enableOfflineQueue: false,
    // A lease that was asked for twice is taken twice: whoever asks decides whether to ask again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // Still loading its file: asked again every so often, until it is done.
    maxLoadingRetryTime: MAX_RETRY_MS,
    // A master that became a replica: the next connection finds the new master.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    connectionName: 'tollgate',
    disableClientInfo: true,
  };
}

function readTls(files: NonNullable<RedisSettings['tls']>): ConnectionOptions {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  return {
    ca: read(files.ca),
    cert: read(files.cert),
    key: read(files.key),
    ...(files.serverName === undefined ? {} : { servername: files.serverName }),
  };
}

/** Milliseconds until the next attempt: soon, for every gateway waits for it; and not all at once. */
function retryDelay(attempt: number): number {
  return Math.min(20 * 2 ** Math.min(attempt, 10), MAX_RETRY_MS) * (0.75 + 0.5 * Math.random());
}
