import type { PeerSettings } from './settings.ts';
import { shareLast } from './share-last.ts';
import type { RecentResets } from './stream-table.ts';

/**
 * What has to be kept of a server's connection on which nothing goes on: with it another one can go on, and the peer cannot tell.
 * Windows are in octets.
 */
export interface DormantState {
  readonly peer: PeerSettings;
  /** What the peer takes on all streams together, and what it may still send. */
  readonly sendWindow: number;
  readonly receiveLeft: number;
  /** The smallest table that the next block sent has to begin with (RFC 7541 section 4.2). */
  readonly smallestTable: number;
  /** The table by which the peer's next block is decoded; undefined where a new one would do. */
  readonly packedTable: string | undefined;
  readonly recentResets: RecentResets;
  readonly lastPeerId: number;
  readonly started: number;
  readonly succeeded: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
}

/** Clients of one kind leave the same. */
export const shareState = shareLast<DormantState>();
