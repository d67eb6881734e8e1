import { type CallSeries, Rank } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { Counter, Part } from './counters.ts';
import type { RankGroup } from './query.ts';
import { fromDuration } from './series-report.ts';

/** Series of an answer whose question names no limit. */
export const DEFAULT_SERIES = 1000;

/** What groups are ordered by, the highest first. */
export function rankOfGroup(rank: Rank): RankGroup {
  switch (rank) {
    case Rank.RANK_FAILURES:
      return (groups, group) => groups.failuresOf(group);
    case Rank.RANK_TIME:
      return (groups, group) => groups.counterOf(group, Counter.TOTAL_MS);
    case Rank.RANK_BYTES:
      return (groups, group) =>
        groups.counterOf(group, Counter.REQUEST_OCTETS) + groups.counterOf(group, Counter.RESPONSE_OCTETS);
    case Rank.RANK_P99:
      return (_groups, group, latency) => latency(group, Part.TOTAL).quantile(0.99);
    default:
      return (groups, group) => groups.counterOf(group, Counter.CALLS);
  }
}

/** The same for series as the services tell them. */
export function rankOfSeries(rank: Rank): (series: CallSeries) => number {
  switch (rank) {
    case Rank.RANK_FAILURES:
      return ({ failures }) => failures;
    case Rank.RANK_TIME:
      return ({ latency }) => fromDuration(latency?.sum);
    case Rank.RANK_BYTES:
      return ({ requestBytes, responseBytes }) => requestBytes + responseBytes;
    case Rank.RANK_P99:
      return ({ latency }) => fromDuration(latency?.p99);
    default:
      return ({ calls }) => calls;
  }
}
