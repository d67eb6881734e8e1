import type { Call, Outcome } from '../chain/call.ts';
import type { MiddlewareChain } from '../chain/chain.ts';
import type { Deadlines } from '../chain/deadlines.ts';
import type { ConnectionInfo, Http1Answer } from '../http2/index.ts';
import type { Answers } from './answers.ts';
import type { PastAttempt } from './attempts.ts';
import type { Backend } from './backend.ts';
import type { CallTrace, TracePolicy } from './call-trace.ts';
import type { ListenerView } from './listener-view.ts';
import type { RecentOctets } from './recent-octets.ts';
import type { RequestId, RequestIds } from './request-id.ts';

/** A GET in plain HTTP. */
export interface PageRequest {
  readonly method: string;
  /** With or without a query. */
  readonly path: string;
  readonly credential: string;
  readonly accept: string;
  readonly remoteAddress: string;
}

/** What all exchanges of a gateway share. */
export interface ExchangeParts {
  /** Monotonic milliseconds. */
  now(): number;
  readonly chain: MiddlewareChain;
  readonly deadlines: Deadlines;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly answers: Answers;
  readonly requestIds: RequestIds;
  /** Undefined: trace headers are metadata like any other. */
  readonly tracing: TracePolicy | undefined;
  /** What was sent lately, for attempts to come. */
  readonly recent: RecentOctets;
  /** Plain HTTP: the answer to a GET of this path; undefined when there is none. */
  page(listener: ListenerView, request: PageRequest): Http1Answer | Promise<Http1Answer> | undefined;
  /** Told of the end of each call. It must not throw. */
  onEnd(call: EndedCall, outcome: Outcome): void;
  /** Something in the gateway itself failed. */
  onFault(error: unknown, call: EndedCall): void;
}

/** A call as metrics and logs see it when it is over. */
export interface EndedCall extends Call {
  readonly id: RequestId;
  /** The text of `id`, made anew each time that it is asked for. */
  readonly requestId: string;
  readonly listener: ListenerView;
  readonly connection?: ConnectionInfo | undefined;
  /** Metadata of the request that is passed on: the first value of this name, in lower case. */
  metadata(name: string): string | undefined;
  /** Its spans are recorded whatever becomes of it. Decided when first asked; false when tracing is off. */
  readonly sampled: boolean;
  /** Made when first asked for; undefined when tracing is off. */
  readonly trace: CallTrace | undefined;
  /** The trace's id, where there is one that is not the request's own without dashes. */
  readonly otherTraceId: string | undefined;
  /** Undefined when the call was refused before there could be any. */
  readonly attempts: AttemptsMade | undefined;
}

/** What is known of a call's attempts when it is over. */
export interface AttemptsMade {
  /** Those before the last; undefined when there was one at most. */
  readonly past: readonly PastAttempt[] | undefined;
  /** When the last one was sent, monotonic milliseconds. */
  readonly sentAt: number;
  readonly backendName: string;
  /** Where the one is that was running when the call ended; undefined when there was none. */
  readonly sentTo: string | undefined;
  /** `host:port` or `unix:/path` of the last; undefined when none was sent. */
  readonly endpointName: string | undefined;
  /** What carried the last; undefined when none was sent. */
  readonly connection: ConnectionInfo | undefined;
}
