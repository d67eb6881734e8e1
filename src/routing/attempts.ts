import type { Call, Refusal } from '../chain/call.ts';
import type { Deadline } from '../chain/deadlines.ts';
import { backendUnavailable } from '../chain/refusal.ts';
import { MESSAGE_PREFIX } from '../grpc/message-prefix.ts';
import { Code } from '../grpc/status.ts';
import {
  type ConnectionInfo,
  ErrorCode,
  type ExtraField,
  type Field,
  type HeaderBlock,
  ResetCause,
  type Stream,
  type StreamHandler,
} from '../http2/index.ts';
import { attemptFields, remoteAddressField } from './attempt-fields.ts';
import type { Backend, Endpoint, Permit } from './backend.ts';
import type { CallTrace } from './call-trace.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import { callerFields } from './field-memos.ts';
import { HeldData } from './held-data.ts';
import type { ListenerView } from './listener-view.ts';
import type { RequestHead } from './request-head.ts';
import type { RequestId } from './request-id.ts';
import { faultOfHeaders, faultOfReset } from './response-faults.ts';
import { type ResponseHead, readResponseHead } from './response-head.ts';
import { readPushback } from './retries.ts';

const NONE: readonly Field[] = [];
/** DATA frames up to this size are kept in the ring; a request of more, or of several, gets a buffer of its own. */
const SMALL = 4096;
/** What is kept of a request that a backend is being sent. A longer one is not tried again. */
const MAX_KEPT = 65_536;
/** The exchange, as its attempts see it. */
export interface AttemptedCall extends Pick<Call, 'principal' | 'method' | 'remoteAddress'> {
  readonly listener: ListenerView;
  readonly id: RequestId;
  /** Undefined when tracing is off. */
  readonly trace: CallTrace | undefined;
  /** The `traceparent` of the nth attempt; undefined when tracing is off. */
  traceparent(attempt: number): ExtraField | undefined;
  /** Monotonic milliseconds; 0 is none. */
  readonly deadlineAt: number;
  /** The response's headers, the first thing that the client gets. @param fault what is wrong with them */
  onAnswer(head: ResponseHead, fault: Refusal | undefined, endStream: boolean): void;
  onAnswerData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void;
  onAnswerTrailers(block: HeaderBlock): void;
  /** No attempt is left. */
  onFailure(refusal: Refusal): void;
  /** Something of ours threw. */
  onFault(error: unknown): void;
}

/** One attempt that is over, and that another followed. */
export interface PastAttempt {
  readonly endpoint: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** gRPC status; for attempts that were not processed UNAVAILABLE. */
  readonly status: number;
  /** The backend certainly did not look at it. */
  readonly unprocessed: boolean;
}

/**
 * The backend's side of an exchange: its attempts, of which nearly always there is one. It is the handler of their streams, one
 * after the other. An attempt that the backend certainly did not process is made again elsewhere; one of an idempotent method
 * that failed with UNAVAILABLE before anything of the answer was passed on is made again after a backoff, within the budget
 * of the backend (gRFC A6, as far as it fits a gateway: docs/adr/0010). For that the request is kept until there is an answer.
 */
export class Attempts implements StreamHandler, Deadline {
  deadlineAt = 0;
  deadlineNext: Deadline | undefined = undefined;
  deadlinePrevious: Deadline | undefined = undefined;
  deadlineSlot = -1;
  /** Those before the present one; undefined when it is the first. */
  past: PastAttempt[] | undefined = undefined;
  /** When the present attempt was sent, monotonic milliseconds. */
  sentAt = 0;
  readonly #call: AttemptedCall;
  readonly #parts: ExchangeParts;
  readonly #head: RequestHead;
  readonly #client: Stream;
  /** The client has sent all it will. */
  #requestEnded: boolean;
  #backend: Backend | undefined = undefined;
  #permit: Permit | undefined = undefined;
  #endpoint: Endpoint | undefined = undefined;
  #stream: Stream | undefined = undefined;
  /** What carried the stream that was dropped. */
  #carrier: ConnectionInfo | undefined = undefined;
  /** Attempts after a failure; and attempts that failed, and that the backend may have processed. */
  #retried = 0;
  #failed = 0;
  /** The backend certainly did not see the present attempt; nor any attempt. */
  #unprocessed = false;
  #neverProcessed = true;
  /** What the client has sent is kept, for another attempt. */
  #keeps = false;
  /** DATA for which there is no stream yet, or that is kept; the client's window and `MAX_KEPT` bound it. */
  #held: HeldData | undefined = undefined;
  /** Instead of `#held`: a place in the ring of recent octets. */
  #keptAt = 0;
  #keptLength = 0;
  /** Octets of the gateway's budget for what is kept outside of the ring. */
  #reserved = 0;
  /** Octets given back to the client's window, and how many of those are being sent once more. */
  #given = 0;
  #again = 0;
  /** The next attempt is to be made at once. */
  #soon: NodeJS.Immediate | undefined = undefined;
  /** How the last attempt failed, should the next one not be possible. */
  #lastRefusal: Refusal | undefined = undefined;
  #lastAnswer: ResponseHead | undefined = undefined;

  constructor(call: AttemptedCall, parts: ExchangeParts, head: RequestHead, client: Stream, requestEnded: boolean) {
    this.#call = call;
    this.#parts = parts;
    this.#head = head;
    this.#client = client;
    this.#requestEnded = requestEnded;
  }

  get backend(): Backend | undefined {
    return this.#backend;
  }

  /** Where the present attempt is. */
  get sentTo(): string | undefined {
    return this.#endpoint?.name;
  }

  /** Where the present attempt is, or the last one was. */
  get endpointName(): string | undefined {
    return this.#endpoint?.name ?? this.past?.at(-1)?.endpoint;
  }

  /** What carries the present attempt, or carried the last one. */
  get connection(): ConnectionInfo | undefined {
    return this.#stream?.connection ?? this.#carrier;
  }

  /** When the first attempt was handed to a connection, monotonic milliseconds; undefined when none was. */
  get firstSentAt(): number | undefined {
    return this.past?.[0]?.startedAt ?? (this.#endpoint === undefined ? undefined : this.sentAt);
  }

  /** Some attempt was handed to a backend connection, and it may have been processed. */
  get reachedBackend(): boolean {
    return !this.#neverProcessed || (this.#endpoint !== undefined && !this.#unprocessed);
  }

  get backendName(): string {
    return this.#backend?.name ?? '';
  }

  /** Asks the backend's breaker. @param now monotonic milliseconds. @returns why there can be no attempt */
  admit(backend: Backend, now: number): Refusal | undefined {
    const permit = backend.breaker.acquire();
    if (typeof permit === 'number') {
      return backendUnavailable({ backend: backend.name, why: 'breaker_open', retryAfterMs: permit });
    }
    this.#backend = backend;
    this.#permit = permit;
    this.sentAt = now;
    return undefined;
  }

  /** Makes the first attempt, once admitted. @param now monotonic milliseconds */
  begin(now: number): void {
    const { retries } = this.#backend!;
    retries.onCall();
    this.#keeps = retries.options.maxAttempts > 1;
    this.#send(this.#backend!.pick(now), now);
  }

  /** DATA of the client. */
  push(buffer: Buffer, start: number, end: number, endStream: boolean): void {
    if (endStream) this.#requestEnded = true;
    const stream = this.#stream;
    if (stream === undefined) {
      this.#hold(buffer, start, end);
      return;
    }
    if (this.#keeps && end > start) this.#keep(stream, buffer, start, end);
    const taken = stream.sendData(buffer, start, end, endStream);
    if (taken > 0) this.#took(taken);
  }

  /** Gives `octets` of the answer back to the backend's window. */
  consume(octets: number): void {
    this.#stream?.consume(octets);
  }

  /**
   * The backend's own status has ended the call. What the backend has not taken of the request is dropped: it may never take
   * it, and the stream would be held for ever.
   */
  finish(): void {
    const queued = this.#stream?.queued ?? 0;
    if (!this.#requestEnded || queued > 0) this.drop(ErrorCode.NO_ERROR);
  }

  /** Forgets the backend's stream, and all that is kept of the request. @param code why */
  drop(code: number): void {
    const stream = this.#stream;
    if (stream !== undefined) this.#carrier = stream.connection;
    this.#stream = undefined;
    this.#letGo();
    stream?.reset(code);
  }

  /** A stream's headers are its verdict: see `Exchange`. @param now monotonic milliseconds */
  settle(status: number, now: number): void {
    const permit = this.#permit;
    this.#permit = undefined;
    permit?.settle(status, now - this.sentAt);
  }

  /** The call, as it ended, says nothing of the backend. */
  ignore(): void {
    const permit = this.#permit;
    this.#permit = undefined;
    permit?.ignore();
  }

  /** The call is over. Exactly once. */
  end(): void {
    this.#letGo();
    clearImmediate(this.#soon);
    this.#parts.deadlines.remove(this);
    if (this.#endpoint !== undefined) this.#endpoint.outstanding--;
  }

  /** The backoff is over. */
  onDeadline(): void {
    this.#resume();
  }

  // The present attempt's stream.

  onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    const head = readResponseHead(block);
    const fault = faultOfHeaders(this.backendName, head, endStream);
    if (this.#keeps) {
      const status = fault === undefined ? (endStream ? head.grpcStatus : undefined) : fault.status;
      if (status === Code.UNAVAILABLE && this.#mayTryAfterFailure(head.pushback)) {
        this.#lastAnswer = fault === undefined ? head : undefined;
        this.#lastRefusal = fault;
        stream.reset(ErrorCode.CANCEL);
        this.#tryAfterFailure(head.pushback);
        return;
      }
      this.#letGo();
    }
    this.#call.onAnswer(head, fault, endStream);
  }

  onData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    this.#call.onAnswerData(stream, buffer, start, end, endStream);
  }

  onTrailers(_stream: Stream, block: HeaderBlock): void {
    this.#call.onAnswerTrailers(block);
  }

  onSent(_stream: Stream, octets: number): void {
    this.#took(octets);
  }

  onReset(stream: Stream, code: number, cause: ResetCause): void {
    this.#stream = undefined;
    const refusal = faultOfReset(this.backendName, code, cause);
    this.#unprocessed = cause === ResetCause.UNPROCESSED;
    const unsent = this.#unprocessed && stream.id === 0;
    if (unsent && this.#endpoint !== undefined) this.#backend?.avoid(this.#endpoint, this.#parts.now());
    this.#lastRefusal = refusal;
    this.#lastAnswer = undefined;
    if (this.#unprocessed && this.#mayTryUnseen(unsent)) this.#tryUnseen(unsent);
    else if (refusal.status === Code.UNAVAILABLE && this.#mayTryAfterFailure(undefined))
      this.#tryAfterFailure(undefined);
    else this.#call.onFailure(refusal);
  }

  // Further attempts.

  /**
   * gRFC A6, "Transparent retries": one that has not left us goes to another endpoint, as long as there are some; one that
   * has reached a connection is made once more.
   */
  #mayTryUnseen(unsent: boolean): boolean {
    const backend = this.#backend;
    if (!this.#isKept() || backend === undefined) return false;
    const before = this.past?.length ?? 0;
    if (!unsent) return this.past?.some((attempt) => attempt.unprocessed) !== true;
    return before + 1 < backend.endpoints.length && backend.hasReachable(this.#parts.now());
  }

  #tryUnseen(unsent: boolean): void {
    this.#backend!.retries.counts.transparent++;
    // An endpoint that cannot be connected to says nothing of a backend that has others: these speak for it.
    if (unsent) this.ignore();
    else this.settle(Code.UNAVAILABLE, this.#parts.now());
    this.#leave();
    // Not now: whoever says that the stream is gone is in the middle of taking a connection apart.
    this.#soon = setImmediate(() => this.#resume());
  }

  /** @param pushback `grpc-retry-pushback-ms` of the answer */
  #mayTryAfterFailure(pushback: string | undefined): boolean {
    const backend = this.#backend;
    if (this.#call.method?.policy.idempotent !== true || !this.#isKept() || backend === undefined) return false;
    if (pushback !== undefined && readPushback(pushback) < 0) return false;
    const { retries } = backend;
    if (this.#retried + 1 >= retries.options.maxAttempts) return false;
    if (!this.#hasTimeFor(pushback === undefined ? 0 : readPushback(pushback))) return false;
    return retries.take();
  }

  #tryAfterFailure(pushback: string | undefined): void {
    const { retries } = this.#backend!;
    retries.counts.afterFailure++;
    this.#retried++;
    this.settle(Code.UNAVAILABLE, this.#parts.now());
    if (!this.#unprocessed) this.#failed++;
    const delay = pushback === undefined ? retries.backoffMs((this.past?.length ?? 0) + 1) : readPushback(pushback);
    this.#leave();
    this.deadlineAt = this.#parts.now() + delay;
    this.#parts.deadlines.add(this);
  }

  #hasTimeFor(delayMs: number): boolean {
    const { deadlineAt } = this.#call;
    return deadlineAt === 0 || this.#parts.now() + delayMs < deadlineAt;
  }

  /** The present attempt becomes one of the past. */
  #leave(): void {
    const endpoint = this.#endpoint!;
    endpoint.outstanding--;
    if (!this.#unprocessed) this.#neverProcessed = false;
    this.past ??= [];
    this.past.push({
      endpoint: endpoint.name,
      startedAt: this.sentAt,
      endedAt: this.#parts.now(),
      status: Code.UNAVAILABLE,
      unprocessed: this.#unprocessed,
    });
    this.#stream = undefined;
    this.#endpoint = undefined;
    this.#unprocessed = false;
    this.#takeFromRing();
  }

  #resume(): void {
    try {
      // Its endpoints may be others by now.
      const backend = this.#parts.backends.get(this.backendName) ?? this.#backend!;
      const now = this.#parts.now();
      if (this.admit(backend, now) === undefined) {
        this.#again = this.#given;
        this.#send(backend.pickOther(now, this.past?.at(-1)?.endpoint), now);
      } else this.#giveUp();
    } catch (error) {
      // Nobody else would catch it here.
      this.#call.onFault(error);
    }
  }

  /** The breaker has opened meanwhile: the caller is told how the last attempt ended. */
  #giveUp(): void {
    this.#letGo();
    if (this.#lastAnswer !== undefined) this.#call.onAnswer(this.#lastAnswer, undefined, true);
    else if (this.#lastRefusal !== undefined) this.#call.onFailure(this.#lastRefusal);
  }

  #send(endpoint: Endpoint, now: number): void {
    const backend = this.#backend!;
    const call = this.#call;
    endpoint.outstanding++;
    this.#endpoint = endpoint;
    this.sentAt = now;
    const { principal } = call;
    // Many callers, each with deadlines of its own: one block for all, which encoders know, and the caller beside it.
    const shared = principal !== undefined && !backend.isControl && !this.#head.repeats();
    const caller = shared ? callerFields(principal) : undefined;
    const block = shared
      ? this.#head.sharedBlock(backend.secure)
      : this.#head.callerBlock(
          principal,
          backend.secure,
          backend.isControl ? call.listener.controlFields(principal) : NONE,
        );
    const held = this.#held;
    const hasData = held !== undefined && held.length > 0;
    const number = (this.past?.length ?? 0) + 1;
    const extra = attemptFields(call, this.#head, caller, { now, number, failed: this.#failed });
    if (backend.isControl) extra.push(remoteAddressField(call.remoteAddress));
    const endStream = this.#requestEnded && !hasData;
    const direct = call.method?.kind === 'server_stream' ? backend.direct : undefined;
    const stream =
      direct === undefined
        ? endpoint.client.request(this, block, extra, endStream)
        : direct.request(endpoint.client, this, block, extra, endStream);
    this.#stream = stream;
    if (!hasData) return;
    if (!this.#keeps || (held.length > MAX_KEPT && stream.id !== 0)) this.#letGo();
    const taken = held.release(stream, this.#requestEnded);
    if (taken > 0) this.#took(taken);
  }

  // The request.

  #hold(buffer: Buffer, start: number, end: number): void {
    this.#held ??= new HeldData();
    this.#held.push(buffer, start, end);
  }

  #keep(stream: Stream, buffer: Buffer, start: number, end: number): void {
    const isFirst = this.#held === undefined && this.#keptLength === 0;
    // To copy what is bound to become too long took more than half of the CPU of a call of 256 KiB.
    if (isFirst && stream.id !== 0 && messageLength(buffer, start, end) > MAX_KEPT) {
      this.#letGo();
      return;
    }
    if (isFirst && end - start <= SMALL && stream.id !== 0) {
      this.#keptAt = this.#parts.recent.put(buffer, start, end);
      this.#keptLength = end - start;
      return;
    }
    if (!this.#takeFromRing()) return;
    // What waits for a connection is bounded by the client's window, and the other endpoint is to have it all.
    const length = (this.#held?.length ?? 0) + end - start;
    if ((length > MAX_KEPT && stream.id !== 0) || !this.#parts.recent.reserve(end - start)) {
      this.#letGo();
      return;
    }
    this.#reserved += end - start;
    this.#hold(buffer, start, end);
  }

  /** Moves what is in the ring to a buffer of the call's own. @returns false when it is not there any more */
  #takeFromRing(): boolean {
    if (this.#keptLength === 0) return true;
    const octets = this.#parts.recent.get(this.#keptAt, this.#keptLength);
    this.#keptLength = 0;
    if (octets === undefined) {
      this.#letGo();
      return false;
    }
    this.#hold(octets, 0, octets.length);
    return true;
  }

  /** Whether everything that the client has sent is there to be sent again. */
  #isKept(): boolean {
    return this.#keeps && this.#takeFromRing();
  }

  #letGo(): void {
    this.#keeps = false;
    this.#held = undefined;
    this.#keptLength = 0;
    if (this.#reserved === 0) return;
    this.#parts.recent.release(this.#reserved);
    this.#reserved = 0;
  }

  /** A connection took `octets` of the request: the client may send as many more, but for those that it has sent before. */
  #took(octets: number): void {
    const again = Math.min(octets, this.#again);
    this.#again -= again;
    this.#given += octets - again;
    if (octets > again) this.#client.consume(octets - again);
  }
}

/** Octets that the message which begins at `start` says it has, with its prefix; 0 where the prefix is not whole. */
function messageLength(buffer: Buffer, start: number, end: number): number {
  return end - start < MESSAGE_PREFIX ? 0 : MESSAGE_PREFIX + buffer.readUInt32BE(start + 1);
}
