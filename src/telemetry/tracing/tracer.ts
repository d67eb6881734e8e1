import type { Outcome } from '../../chain/call.ts';
import type { EndedCall } from '../../routing/exchange-parts.ts';
import { answersOnce } from '../ended-call.ts';
import { isServerError } from '../server-error.ts';
import type { SpanQueue } from './span-queue.ts';

export interface TailSettings {
  /** Calls that take longer are kept; undefined: none for that. Milliseconds. */
  readonly slowMs: number | undefined;
  /** Calls a second that are kept for being failed, refused or slow. */
  readonly maxPerSecond: number;
}

/**
 * Keeps calls that have ended for their spans: those that were sampled, and of the others (within a bound a second, since strangers
 * can cause them) those that failed, were refused or slow. What a span says is known of every call anyway, so a call that
 * is not kept costs a comparison here.
 * @param now monotonic milliseconds
 */
export function createTracer(
  queue: SpanQueue,
  tail: TailSettings,
  now: () => number,
): (call: EndedCall, outcome: Outcome) => void {
  const budget = createBudget(tail.maxPerSecond, now);
  return (call, outcome) => {
    if (!call.sampled && !(isRemarkable(call, outcome, tail) && budget())) return;
    const { trace } = call;
    if (trace !== undefined) queue.add(call, trace, outcome);
  };
}

function isRemarkable(call: EndedCall, { status, refusal, durationMs }: Outcome, { slowMs }: TailSettings): boolean {
  if (refusal !== undefined || isServerError(status)) return true;
  return slowMs !== undefined && durationMs >= slowMs && answersOnce(call);
}

function createBudget(perSecond: number, now: () => number): () => boolean {
  let windowStart = Number.NEGATIVE_INFINITY;
  let used = 0;
  return () => {
    const time = now();
    if (time - windowStart >= 1000) {
      windowStart = time;
      used = 0;
    }
    return used++ < perSecond;
  };
}
