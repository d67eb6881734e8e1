import type { MethodEntry } from '../contracts/method-entry.ts';
import type { Replica, ReplicaHead } from '../store/embedded/replica.ts';
import type { Note } from '../store/journal.ts';
import type { RedisConnection } from '../store/redis/connect.ts';
import { documentKeys } from '../store/redis/document-keys.ts';
import type { RedisDocuments } from '../store/redis/documents.ts';
import type { FleetView, GatewayEntry, Gateways } from '../store/redis/gateways.ts';
import type { ChainedChange } from '../store/redis/records.ts';
import { type Change, StoreUnusable, type Write } from '../store/store.ts';
import { StoreUnavailable } from '../store/store-errors.ts';
import { applyChange, checkReadable, readSnapshot, type StoreSnapshot, withFixed } from './apply-change.ts';
import { follows, isChain } from './chain-of-changes.ts';
import type { ChangeListener, ConfigSync } from './config-sync.ts';
import { ChangeListeners } from './listeners.ts';
import { Presence } from './presence.ts';
import { readAll } from './read-all.ts';
import type { Snapshot } from './snapshot.ts';
import { isExpected, isRefusal, StoreBehind } from './sync-errors.ts';

export interface RedisSyncOptions {
  readonly documents: RedisDocuments;
  readonly connection: RedisConnection;
  readonly gateways: Gateways;
  /** This gateway's copy, which is kept up to date, and begun with when Redis is away. */
  readonly replica: Replica;
  /** Of the gateway itself and its configuration file, by `:path`. */
  readonly methods: ReadonlyMap<string, MethodEntry>;
  /** Unique in the fleet, and new with each start. */
  readonly id: string;
  /** Of this gateway, for people; it may become known after the start. */
  readonly address: () => string;
  readonly onListenerError: (error: unknown) => void;
  readonly onState?: ((state: SyncState, previous: SyncState, error: unknown) => void) | undefined;
  /** Writes this gateway's copy into a Redis that has lost it. @throws StoreUnavailable */
  readonly restore: () => Promise<boolean>;
  /** Milliseconds between looks at the version, whether or not a message came; default 1000. */
  readonly pollMs?: number | undefined;
}

/**
 * - `synced`: what Redis has is applied, or is about to be.
 * - `away`: Redis does not answer.
 * - `behind`: Redis has lost changes that were applied here; the last good snapshot stays, and nothing can be changed.
 * - `refused`: what Redis has is damaged or too large; the last good snapshot stays.
 */
export type SyncState = 'synced' | 'away' | 'behind' | 'refused';

export interface SyncStatus {
  readonly state: SyncState;
  readonly version: number;
  /** Since the start: changes or whole readings that were refused, and times that everything was read anew. */
  readonly refused: number;
  readonly readings: number;
}

/** Polls for which Redis is behind before its configuration is restored: every gateway has said what it has by then. */
const RESTORE_AFTER = 3;
const PAGE = 500;
const DEFAULT_POLL_MS = 1000;
const START_TIMEOUT_MS = 3000;
/** Polls after which what was refused is looked at again, although there is no new version. */
const RETRY_REFUSED = 10;

/**
 * `ConfigSync` of one gateway of a fleet. It listens first, then reads; each message, each new connection and each poll
 * makes it read what it lacks, in the order of versions.
 * @throws StoreUnusable when Redis is away or damaged, and there is no copy to start from
 */
export async function openRedisSync(options: RedisSyncOptions): Promise<RedisSync> {
  const sync = new RedisSync(options, await readSnapshot(options.replica, options.methods));
  try {
    await sync.start();
    return sync;
  } catch (error) {
    await sync.close();
    throw error;
  }
}

export class RedisSync implements ConfigSync {
  readonly #options: RedisSyncOptions;
  readonly #listeners: ChangeListeners;
  readonly #subscriber: RedisConnection;
  readonly #presence: Presence;
  #current: StoreSnapshot;
  #head: ReplicaHead;
  #state: SyncState = 'away';
  /** Settled when the last reading that was asked for is done. */
  #last: Promise<unknown> = Promise.resolve();
  #wakePending = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #waiting: (() => void)[] = [];
  #refused = 0;
  #readings = 0;
  /** The last version that Redis had, as this process saw it: to know what it has lost. */
  #witnessed = 0;
  #behind = 0;
  /** Monotonic milliseconds. */
  #inStepAt = performance.now();
  /** The version that was refused, and how often it was seen since. */
  #refusal: { readonly version: number; readonly error: unknown; seen: number } | undefined;

  constructor(options: RedisSyncOptions, first: StoreSnapshot) {
    this.#options = options;
    this.#listeners = new ChangeListeners(options.onListenerError);
    this.#current = first;
    this.#head = options.replica.head;
    this.#subscriber = options.connection.subscriber();
    this.#presence = new Presence(options);
  }

  get current(): Snapshot {
    return this.#current;
  }

  get status(): SyncStatus {
    const { version } = this.#current;
    return { state: this.#state, version, refused: this.#refused, readings: this.#readings };
  }

  /** Milliseconds since what is applied here was last known to be what the store has. */
  get lagMs(): number {
    return performance.now() - this.#inStepAt;
  }

  /** Gateways of the fleet, this one among them, as they were last known. */
  get gateways(): readonly GatewayEntry[] {
    return this.#presence.gateways;
  }

  /** Gateways that were alive when Redis last answered; at least 1. */
  get liveGateways(): number {
    return this.#presence.live;
  }

  async start(): Promise<void> {
    this.#subscribe();
    try {
      await this.#options.connection.ready(START_TIMEOUT_MS).catch((error: unknown) => {
        throw new StoreUnavailable(error);
      });
      await this.#exclusive(() => this.#catchUp());
    } catch (error) {
      if (!isExpected(error)) throw error;
      this.#failed(error);
      if (this.#head.version === 0) {
        const message = `cannot read the configuration from Redis, and there is no copy of it: ${error.message}`;
        throw new StoreUnusable(message, error);
      }
    }
    await this.#poll();
  }

  async change(writes: readonly Write[], note?: Note): Promise<Change> {
    checkReadable(writes);
    const chained = await this.#options.documents.commitAfter(this.#head.version, writes, note);
    if (note?.dryRun) return chained.change;
    const { version } = chained.change;
    await this.#exclusive(async () => {
      if (this.#head.version >= version) return;
      if (!follows(this.#head, chained)) return this.#catchUp();
      this.#take([chained]);
      this.#witnessed = this.#head.version;
    });
    // Whoever waits for this version waits for the one who wrote it, too.
    if (this.#timer !== undefined) void this.#announce();
    return chained.change;
  }

  onChange(listener: ChangeListener): () => void {
    return this.#listeners.add(listener);
  }

  setMethods(methods: ReadonlyMap<string, MethodEntry>): void {
    this.#current = withFixed(this.#current, methods);
  }

  /** Resolves when what Redis has is applied; at once when it is so. Never, when that never happens. */
  async whenSynced(): Promise<void> {
    if (this.#state === 'synced') return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    await promise;
  }

  /** Who has which version, asked of Redis now. @throws StoreUnavailable */
  view(): Promise<FleetView> {
    return this.#presence.view();
  }

  /** Reads what is lacking; what goes wrong becomes the state. */
  wake(): void {
    if (this.#wakePending || this.#closed) return;
    this.#wakePending = true;
    void this.#exclusive(async () => {
      this.#wakePending = false;
      try {
        await this.#catchUp();
      } catch (error) {
        this.#failed(error);
      }
    });
  }

  /** Ends listening, polling and the announcement. The replica and the connection stay open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#subscriber.close();
    await this.#last;
    await this.#presence.leave(this.#state !== 'away');
  }

  #subscribe(): void {
    const { client } = this.#subscriber;
    const channel = documentKeys(this.#options.connection).changed;
    client.on('message', () => this.wake());
    client.on('ready', () => {
      // What was said while there was no connection was not heard. Should it break again, there is another `ready`.
      client.subscribe(channel).then(
        () => this.wake(),
        () => undefined,
      );
    });
  }

  /** One at a time. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #poll(): Promise<void> {
    const { version, nonce } = (await this.#announce()) ?? this.#head;
    if (this.#closed) return;
    if (this.#state === 'behind') await this.#restoreInTime();
    else this.#behind = 0;
    if (version !== this.#head.version || nonce !== this.#head.nonce || this.#state !== 'synced') this.wake();
    else this.#inStepAt = performance.now();
    const every = this.#options.pollMs ?? DEFAULT_POLL_MS;
    this.#timer = setTimeout(() => void this.#poll(), every).unref();
  }

  /**
   * Redis was seen to have our version, and now has an earlier one: it was restarted without its file, or failed over to a
   * replica that lagged. The gateway that has the most gives it back. One that has it only from its disk does not: perhaps
   * somebody began anew on purpose.
   */
  async #restoreInTime(): Promise<void> {
    const { version } = this.#head;
    if (++this.#behind < RESTORE_AFTER || this.#witnessed < version) return;
    if (this.#presence.gateways.some((gateway) => gateway.alive && gateway.version > version)) return;
    try {
      await this.restore();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Gives Redis this gateway's copy, if it has lost it. @returns whether it had. @throws StoreUnavailable */
  async restore(): Promise<boolean> {
    const restored = await this.#exclusive(() => this.#options.restore());
    this.wake();
    return restored;
  }

  /** Tells the fleet which version is applied here. */
  async #announce(): Promise<FleetView | undefined> {
    if (this.#closed) return undefined;
    try {
      return await this.#presence.announce(this.#head.version);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  async #catchUp(): Promise<void> {
    const before = this.#head.version;
    while (!this.#closed) {
      const missed = await this.#options.documents.missed(this.#head.version, PAGE);
      const { version, nonce } = this.#head;
      if (missed.version < version || (missed.version === version && missed.nonce !== nonce)) {
        throw new StoreBehind(missed.version, version);
      }
      if (missed.version === version) break;
      if (this.#refusal?.version === missed.version && ++this.#refusal.seen < RETRY_REFUSED) throw this.#refusal.error;
      try {
        if (missed.changes === undefined || !isChain(this.#head, missed.changes)) await this.#readAll();
        else if (!this.#tryToTake(missed.changes)) await this.#readAll();
      } catch (error) {
        if (!isRefusal(error)) throw error;
        if (this.#refusal?.version !== missed.version) this.#refused++;
        this.#refusal = { version: missed.version, error, seen: 0 };
        throw error;
      }
    }
    this.#refusal = undefined;
    this.#inStepAt = performance.now();
    this.#witnessed = this.#head.version;
    this.#become('synced', undefined);
    // Somebody may wait for it.
    if (this.#head.version !== before && this.#timer !== undefined) void this.#announce();
  }

  /** @returns false when one of them cannot be applied; a later one may have replaced what is wrong */
  #tryToTake(changes: readonly ChainedChange[]): boolean {
    try {
      this.#take(changes);
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  /** All of them, or none when one cannot be applied. */
  #take(changes: readonly ChainedChange[]): void {
    const snapshots: StoreSnapshot[] = [];
    let snapshot = this.#current;
    for (const { change } of changes) {
      snapshot = applyChange(snapshot, change);
      snapshots.push(snapshot);
    }
    const last = changes.at(-1);
    if (last === undefined) return;
    const head = { version: last.change.version, nonce: last.nonce };
    this.#options.replica.apply(
      changes.map(({ change }) => change),
      head,
    );
    this.#head = head;
    changes.forEach(({ change }, index) => {
      this.#current = snapshots[index] ?? snapshot;
      this.#listeners.tell(change, this.#current);
    });
  }

  async #readAll(): Promise<void> {
    const { documents, replica } = this.#options;
    const reading = replica.beginReading();
    try {
      const head = await readAll(documents, reading);
      if (head.version <= this.#head.version) throw new StoreBehind(head.version, this.#head.version);
      const change = reading.finish(head);
      const snapshot = applyChange(this.#current, change);
      reading.commit();
      this.#readings++;
      this.#head = head;
      this.#current = snapshot;
      this.#listeners.tell(change, snapshot);
    } catch (error) {
      reading.abandon();
      throw error;
    }
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    if (error instanceof StoreBehind) this.#become('behind', error);
    else if (isRefusal(error)) this.#become('refused', error);
    else if (error instanceof StoreUnavailable) this.#become('away', error);
    else this.#options.onListenerError(error);
  }

  #become(state: SyncState, error: unknown): void {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    if (state === 'synced') for (const resolve of this.#waiting.splice(0)) resolve();
    try {
      this.#options.onState?.(state, previous, error);
    } catch (failure) {
      this.#options.onListenerError(failure);
    }
  }
}
