import type { Call, Outcome } from '../chain/call.ts';
import type { MiddlewareChain } from '../chain/chain.ts';
import type { Deadlines } from '../chain/deadlines.ts';
import type { Answers } from './answers.ts';
import type { Backend } from './backend.ts';
import type { ListenerView } from './listener-view.ts';
import type { RequestIds } from './request-id.ts';

/** What all exchanges of a gateway share. */
export interface ExchangeParts {
  /** Monotonic milliseconds. */
  now(): number;
  readonly chain: MiddlewareChain;
  readonly deadlines: Deadlines;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly answers: Answers;
  readonly requestIds: RequestIds;
  /** Plain HTTP: the answer to a GET of this path; undefined when there is none. */
  probe(path: string): { readonly status: number; readonly body: string } | undefined;
  /** Those who want to know of the end of a call. They must not throw. */
  readonly onEnd: readonly ((call: EndedCall, outcome: Outcome) => void)[];
  /** Something in the gateway itself failed. */
  onFault(error: unknown, call: EndedCall): void;
}

/** A call as metrics and logs see it when it is over. */
export interface EndedCall extends Call {
  readonly requestId: string;
  readonly listener: ListenerView;
}
