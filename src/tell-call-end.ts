import type { Outcome } from './chain/call.ts';
import type { EndedCall } from './routing/exchange-parts.ts';

export type CallEndListener = (call: EndedCall, outcome: Outcome) => void;

/** Those who are told of the end of each call, in this order. None of them may throw. */
export interface CallEndListeners {
  readonly metrics: CallEndListener | undefined;
  readonly messages: CallEndListener;
  readonly audit: CallEndListener;
  readonly decisions: CallEndListener;
  readonly recent: CallEndListener;
  readonly tracing: CallEndListener | undefined;
  readonly accessLog: CallEndListener | undefined;
}

/** Tells one after the other. Not in a loop over a list: there each would be a call that V8 cannot inline. */
export function tellCallEnd(listeners: CallEndListeners): CallEndListener {
  const { metrics, messages, audit, decisions, recent, tracing, accessLog } = listeners;
  return (call, outcome) => {
    if (metrics !== undefined) metrics(call, outcome);
    messages(call, outcome);
    audit(call, outcome);
    decisions(call, outcome);
    recent(call, outcome);
    if (tracing !== undefined) tracing(call, outcome);
    if (accessLog !== undefined) accessLog(call, outcome);
  };
}
