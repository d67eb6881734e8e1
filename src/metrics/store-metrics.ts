import { StoreMetrics_SyncState as State, type StoreMetrics } from '../../generated/tollgate/metrics/v1/metrics.ts';

/** What a fleet's store and sync tell of themselves. */
export interface StoreProbe {
  readonly fleet:
    | {
        readonly sync: {
          readonly status: {
            readonly state: 'synced' | 'away' | 'behind' | 'refused';
            readonly version: number;
            readonly refused: number;
            readonly readings: number;
          };
          readonly liveGateways: number;
        };
        readonly store: { readonly silent: boolean; readonly silences: number; readonly unanswered: number };
      }
    | undefined;
}

const STATES = {
  synced: State.SYNC_STATE_SYNCED,
  away: State.SYNC_STATE_AWAY,
  behind: State.SYNC_STATE_BEHIND,
  refused: State.SYNC_STATE_REFUSED,
} as const;

/** @returns undefined on the embedded store */
export function storeMetrics({ fleet }: StoreProbe): StoreMetrics | undefined {
  if (fleet === undefined) return undefined;
  const { status, liveGateways } = fleet.sync;
  return {
    ...fleet.store,
    syncState: STATES[status.state],
    version: status.version,
    refusedChanges: status.refused,
    fullReadings: status.readings,
    liveGateways,
  };
}
