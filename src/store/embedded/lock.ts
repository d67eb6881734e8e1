import { DatabaseSync } from 'node:sqlite';
import { StoreUnusable } from '../store.ts';
import { SqliteCode, sqliteCode } from './sqlite.ts';

/** How long an earlier process, which is just ending, is waited for. */
const WAIT_MS = 250;

/**
 * Makes this store the only one on the file, by a lock that the operating system drops with the process, however it ends.
 * It is held on an empty database beside the real one: so the real one can still be read and backed up by others.
 * @throws StoreUnusable when another store has it
 */
export function lockStore(path: string): { release(): void } {
  const lock = new DatabaseSync(`${path}.lock`, { timeout: WAIT_MS });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    const code = sqliteCode(error);
    if (code !== SqliteCode.BUSY && code !== SqliteCode.LOCKED) throw error;
    throw new StoreUnusable(
      `${path} is in use by another gateway: stop that one, or give this one a store path of its own`,
      error,
    );
  }
  return { release: () => lock.close() };
}
