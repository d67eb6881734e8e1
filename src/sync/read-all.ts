import type { ReplicaHead, ReplicaReading } from '../store/embedded/replica.ts';
import type { RedisDocuments } from '../store/redis/documents.ts';
import { DOCUMENT_KINDS } from '../store/store.ts';
import { StoreUnavailable } from '../store/store-errors.ts';
import { pageOf } from './page-of.ts';

const PAGE = 500;
/** Attempts before others are let write less. */
const ATTEMPTS = 5;

/**
 * Reads every document, page by page, then what was changed meanwhile: pages may be of different versions, and the changes
 * bring all of them to the last.
 * @returns the head that was reached
 * @throws UnreadableRecord, StoreUnavailable
 */
export async function readAll(documents: RedisDocuments, reading: ReplicaReading): Promise<ReplicaHead> {
  const first = await documents.missed(0, 1);
  let head: ReplicaHead = { version: first.version, nonce: first.nonce };
  for (const kind of DOCUMENT_KINDS) {
    let after: string | undefined;
    do {
      const page = await documents.list(kind, { after, limit: pageOf(kind, PAGE) });
      reading.add(page.documents);
      after = page.next;
    } while (after !== undefined);
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { version, changes, fault } = await documents.missed(head.version, PAGE);
    if (fault !== undefined) throw fault;
    if (version < head.version || changes === undefined) break;
    for (const { change, nonce } of changes) {
      reading.follow(change);
      head = { version: change.version, nonce };
    }
    if (head.version === version) return head;
  }
  throw new StoreUnavailable(new Error('the configuration changes faster than it can be read'));
}
