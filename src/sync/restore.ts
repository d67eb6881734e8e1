import type { Replica } from '../store/embedded/replica.ts';
import type { RedisConnection } from '../store/redis/connect.ts';
import { documentKeys } from '../store/redis/document-keys.ts';
import { toRecord } from '../store/redis/records.ts';
import type { Scripts } from '../store/redis/scripts.ts';
import { DOCUMENT_KINDS } from '../store/store.ts';
import { StoreUnavailable } from '../store/store-errors.ts';
import { pageOf } from './page-of.ts';

export interface RestoreParts {
  readonly connection: RedisConnection;
  readonly scripts: Scripts;
  readonly replica: Replica;
  /** Unpredictable text. */
  readonly nonce: () => string;
}

const PAGE = 200;
const LIFE_MS = 10_000;

/**
 * Writes this gateway's copy of the configuration into a Redis that has lost it, or the last of it. Gateways read it like
 * any other version: it is one above ours.
 * @returns false when there was nothing to restore, or another gateway does it
 * @throws StoreUnavailable; then nothing counts of what was written
 */
export async function restore(parts: RestoreParts): Promise<boolean> {
  const { connection, scripts, replica } = parts;
  const k = documentKeys(connection);
  const token = parts.nonce();
  const { version } = replica.head;
  const run = async (name: string, keys: readonly string[], args: readonly (string | number)[]): Promise<string> => {
    try {
      const reply = await scripts.run(name, keys, args);
      return Array.isArray(reply) ? String(reply[0]) : '';
    } catch (error) {
      throw new StoreUnavailable(error);
    }
  };
  const all = [k.head, k.restoring, k.documents, k.ids, k.hashes, k.children, k.references, k.changes];
  if ((await run('restore-begin', all, [token, version, LIFE_MS])) !== 'ok') return false;
  const pageKeys = [k.restoring, k.documents, k.ids, k.hashes, k.children, k.references];
  for (const kind of DOCUMENT_KINDS) {
    let after: string | undefined;
    do {
      const page = await replica.list(kind, { after, limit: pageOf(kind, PAGE) });
      const documents = JSON.stringify(
        page.documents.map((document) => ({ ...idOf(document), record: toRecord(document) })),
      );
      if ((await run('restore-documents', pageKeys, [token, LIFE_MS, documents])) !== 'ok') return false;
      after = page.next;
    } while (after !== undefined);
  }
  return (await run('restore-end', [k.restoring, k.head], [token, version + 1, k.changed])) === 'ok';
}

function idOf({ kind, id }: { kind: string; id: string }): { kind: string; id: string } {
  return { kind, id };
}
