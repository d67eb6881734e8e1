import type { PeerSettings } from './settings.ts';
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

/** Clients of one kind leave the same: they share what was made for the first in a row. */
let recent: DormantState | undefined;

/** @returns `state`, or an earlier one that says the same */
export function shareState(state: DormantState): DormantState {
  if (recent !== undefined && areSame(state, recent)) return recent;
  recent = state;
  return state;
}

function areSame(one: DormantState, other: DormantState): boolean {
  return (
    one.peer === other.peer &&
    one.sendWindow === other.sendWindow &&
    one.receiveLeft === other.receiveLeft &&
    one.smallestTable === other.smallestTable &&
    one.packedTable === other.packedTable &&
    one.recentResets === other.recentResets &&
    one.lastPeerId === other.lastPeerId &&
    one.started === other.started &&
    one.succeeded === other.succeeded &&
    one.messagesReceived === other.messagesReceived &&
    one.messagesSent === other.messagesSent
  );
}
