import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { KEY_USE_STEP_MS, type KeyUseStore } from '../store.ts';
import { integer, Transactions } from './sqlite.ts';

/** Last uses of keys in SQLite; a trigger drops those of deleted keys. */
export class EmbeddedKeyUses implements KeyUseStore {
  readonly #transactions: Transactions;
  readonly #put: StatementSync;
  readonly #get: StatementSync;

  constructor(db: DatabaseSync) {
    this.#transactions = new Transactions(db);
    this.#put = db.prepare(
      `INSERT INTO key_uses (id, used_at)
         SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM documents WHERE kind = 'api_key' AND id = ?1)
       ON CONFLICT DO UPDATE SET used_at = excluded.used_at
         WHERE excluded.used_at >= key_uses.used_at + ${KEY_USE_STEP_MS}`,
    );
    this.#get = db.prepare('SELECT used_at FROM key_uses WHERE id = ?');
  }

  note(uses: ReadonlyMap<string, number>): void {
    this.#transactions.run(() => {
      for (const [id, at] of uses) this.#put.run(id, at);
    });
  }

  async read(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const uses = new Map<string, number>();
    for (const id of ids) {
      const row = this.#get.get(id);
      if (row !== undefined) uses.set(id, integer(row, 'used_at'));
    }
    return uses;
  }
}
