import { SilenceGuard } from './silence.ts';

/** How the store is, for metrics. */
export interface SilenceCounts {
  readonly silent: boolean;
  readonly silences: number;
  /** Questions that nobody waited for to the end. */
  readonly unanswered: number;
}

export interface WatchParts {
  readonly log: { warn(fields: object | string, message?: string): void };
  readonly clock: { now(): number };
}

/** At most one line tells of late answers in so many milliseconds. */
const TELL_EVERY_MS = 1000;

/** A guard whose silences are counted, and told in the log: silence once, and late answers once a second. */
export function watchSilence(probe: () => Promise<unknown>, { log, clock }: WatchParts) {
  const counts = { silent: false, silences: 0, unanswered: 0 };
  let late = { since: 0, times: 0, longestMs: 0 };
  let quiet = false;
  const tell = () => {
    const { since, times, longestMs } = late;
    if (times === 0) {
      quiet = false;
      return;
    }
    late = { since: 0, times: 0, longestMs: 0 };
    const fields = { since: new Date(since).toISOString(), times, longest_ms: Math.round(longestMs) };
    log.warn(fields, 'Redis answered late: meanwhile each plan said what holds');
    quiet = true;
    setTimeout(tell, TELL_EVERY_MS).unref();
  };
  const onLate = (ms: number) => {
    if (late.times++ === 0) late.since = clock.now() - ms;
    late.longestMs = Math.max(late.longestMs, ms);
    if (!quiet) tell();
  };
  const guard = new SilenceGuard({ probe, onFailure: () => void counts.unanswered++, onLate });
  guard.onChange((state, quietMs) => {
    counts.silent = state === 'silent';
    if (state === 'silent') {
      counts.silences++;
      const since = new Date(clock.now() - quietMs).toISOString();
      log.warn({ since }, 'Redis does not answer in time: each plan says what holds meanwhile');
    } else log.warn('Redis answers again');
  });
  return { guard, counts };
}
