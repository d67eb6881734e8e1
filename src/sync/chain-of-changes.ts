import type { ReplicaHead } from '../store/embedded/replica.ts';
import type { ChainedChange } from '../store/redis/records.ts';

/** Whether a change is the next one of the history that leads to `head`. */
export function follows(head: ReplicaHead, { change, prev }: ChainedChange): boolean {
  return change.version === head.version + 1 && prev === head.nonce;
}

/** Whether changes, of which there are some, lead on from `head` without a gap. */
export function isChain(head: ReplicaHead, changes: readonly ChainedChange[]): boolean {
  let at = head;
  for (const chained of changes) {
    if (!follows(at, chained)) return false;
    at = { version: chained.change.version, nonce: chained.nonce };
  }
  return changes.length > 0;
}
