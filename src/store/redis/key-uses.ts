import { KEY_USE_STEP_MS, type KeyUseStore } from '../store.ts';
import { StoreUnavailable } from '../store-errors.ts';
import type { RedisConnection } from './connect.ts';
import { documentKeys } from './document-keys.ts';
import type { Scripts } from './scripts.ts';

/** Last uses of keys in Redis, beside the documents: all gateways tell theirs, and the latest stays. */
export class RedisKeyUses implements KeyUseStore {
  readonly #connection: RedisConnection;
  readonly #scripts: Scripts;

  constructor({ connection, scripts }: { connection: RedisConnection; scripts: Scripts }) {
    this.#connection = connection;
    this.#scripts = scripts;
  }

  async note(uses: ReadonlyMap<string, number>): Promise<void> {
    const { keyUses, documents } = documentKeys(this.#connection);
    await this.#scripts.run('note-key-uses', [keyUses, documents], [KEY_USE_STEP_MS, JSON.stringify([...uses])]);
  }

  /** @throws StoreUnavailable */
  async read(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const uses = new Map<string, number>();
    if (ids.length === 0) return uses;
    const { keyUses } = documentKeys(this.#connection);
    try {
      const scores = await this.#connection.client.zmscore(keyUses, ...ids);
      scores.forEach((score, index) => {
        const id = ids[index];
        if (score !== null && id !== undefined) uses.set(id, Number(score));
      });
      return uses;
    } catch (error) {
      throw new StoreUnavailable(error);
    }
  }
}
