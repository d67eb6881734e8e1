import type { Outcome } from '../chain/call.ts';
import type { EndedCall } from '../routing/exchange-parts.ts';
import type { CallRecord } from './call-record.ts';
import { CallRing } from './call-ring.ts';
import { isServerError } from './server-error.ts';

/** Calls that are remembered: those that went well, of strangers, and of tenants that failed, were refused or slow. */
const ORDINARY = 2048;
const STRANGERS = 1024;
const REMARKABLE = 4096;
const SLOW_MS = 1000;

/**
 * The last calls, in three rings, so that neither what goes well nor what strangers send pushes out the calls that people ask
 * for.
 */
export class RecentCalls {
  readonly #ordinary: CallRing;
  readonly #strangers: CallRing;
  readonly #remarkable: CallRing;

  /** @param traced tracing is on */
  constructor(traced: boolean) {
    this.#ordinary = new CallRing(ORDINARY, traced);
    this.#strangers = new CallRing(STRANGERS, traced);
    this.#remarkable = new CallRing(REMARKABLE, traced);
  }

  /** A subscriber of the end of calls. */
  readonly onEnd = (call: EndedCall, outcome: Outcome): void => {
    const isFine = outcome.refusal === undefined && !isServerError(outcome.status) && outcome.durationMs < SLOW_MS;
    const ring = isFine ? this.#ordinary : call.principal === undefined ? this.#strangers : this.#remarkable;
    ring.put(call, outcome);
  };

  /** The call with this request id, the last one if there are several. */
  find(requestId: string): CallRecord | undefined {
    return this.#remarkable.find(requestId) ?? this.#strangers.find(requestId) ?? this.#ordinary.find(requestId);
  }
}
