import type { Credential, Outcome, PeerIdentity, Principal, Refusal, StageWait } from '../chain/call.ts';
import type { ChainedCall } from '../chain/chain.ts';
import type { Deadline } from '../chain/deadlines.ts';
import { backendUnavailable, deadlineExceeded, gatewayError } from '../chain/refusal.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import { Code } from '../grpc/status.ts';
import {
  type ConnectionInfo,
  ErrorCode,
  type ExtraField,
  type HeaderBlock,
  type ResetCause,
  Specimen,
  type Stream,
  type StreamHandler,
} from '../http2/index.ts';
import type { Plan, Snapshot, Tenant } from '../sync/snapshot.ts';
import { type AttemptedCall, Attempts } from './attempts.ts';
import type { Backend } from './backend.ts';
import { CallTrace, type TracedCall } from './call-trace.ts';
import type { EndedCall, ExchangeParts } from './exchange-parts.ts';
import type { ListenerView } from './listener-view.ts';
import type { RequestHead } from './request-head.ts';
import { isRequestId, RequestId } from './request-id.ts';
import { statusMissing } from './response-faults.ts';
import { type ResponseHead, readResponseHead } from './response-head.ts';
import { ownTraceparent } from './trace-context.ts';
import { Traffic } from './traffic.ts';

const EMPTY = Buffer.alloc(0);

const exchanges = new Specimen<Exchange>();

/** How much earlier than our deadline a cancellation by the client is taken for its deadline. */
const DEADLINE_SLACK_MS = 20;
const DEADLINE_SLACK_SHARE = 0.2;

/**
 * One call from its headers to its end: the client's stream on one side, the backend's (`Attempts`) on the other. It is the
 * handler of the client's stream. Everything that may end a call leads to `#end`, which
 * settles it exactly once.
 */
export class Exchange implements ChainedCall, StreamHandler, Deadline, EndedCall, AttemptedCall, TracedCall {
  readonly startedAt: number;
  readonly id: RequestId;
  readonly snapshot: Snapshot;
  readonly credential: Credential;
  readonly method: MethodEntry | undefined;
  principal: Principal | undefined = undefined;
  tenant: Tenant | undefined = undefined;
  plan: Plan | undefined = undefined;
  reservedUnits = 0;
  countedBy: { running: number } | undefined = undefined;
  admittedStages = 0;
  endedWith: Outcome | undefined = undefined;
  deadlineAt = 0;
  deadlineNext: Deadline | undefined = undefined;
  deadlinePrevious: Deadline | undefined = undefined;
  deadlineSlot = -1;
  readonly listener: ListenerView;
  readonly #parts: ExchangeParts;
  readonly #head: RequestHead;
  readonly #client: Stream;
  /** The backend's side; undefined for as long as there is nothing that it could have or hold. */
  attempts: Attempts | undefined = undefined;
  waits: StageWait[] | undefined = undefined;
  #trace: CallTrace | undefined = undefined;
  #sampled: boolean | undefined = undefined;
  /** The request is its headers, and nothing more. */
  readonly #headersOnly: boolean;
  #responseStarted = false;
  #ended = false;
  /** A stage of the chain has not answered yet. */
  #waiting = false;
  /** What the gateway ends the call with, once that stage has answered. */
  #cutOff: Refusal | undefined = undefined;
  /** The client cancelled, or its connection was lost. */
  #clientGone = false;
  readonly #traffic: Traffic;

  constructor(
    parts: ExchangeParts,
    listener: ListenerView,
    snapshot: Snapshot,
    head: RequestHead,
    client: Stream,
    requestEnded: boolean,
  ) {
    this.#parts = parts;
    this.listener = listener;
    this.snapshot = snapshot;
    this.#head = head;
    this.credential = head.credential;
    this.method = head.method;
    this.#client = client;
    this.#headersOnly = requestEnded;
    this.#traffic = new Traffic(head.method?.kind);
    this.startedAt = parts.now();
    const own = listener.trustRequestId ? head.requestId : undefined;
    this.id = own !== undefined && isRequestId(own) ? RequestId.ofClient(own) : parts.requestIds.next();
  }

  get remoteAddress(): string {
    return this.#client.connection?.remoteAddress ?? '';
  }

  get connection(): ConnectionInfo | undefined {
    return this.#client.connection;
  }

  get peerIdentity(): PeerIdentity | undefined {
    return this.#client.connection?.peerIdentity;
  }

  get requestId(): string {
    return this.id.text;
  }

  metadata(name: string): string | undefined {
    return this.#head.passedValue(name);
  }

  get trace(): CallTrace | undefined {
    const { tracing, requestIds } = this.#parts;
    if (tracing === undefined) return undefined;
    this.#trace ??= new CallTrace(this, this.#head, tracing.baggage, requestIds);
    return this.#trace;
  }

  get sampled(): boolean {
    this.#sampled ??= this.#parts.tracing?.sample(this) ?? false;
    return this.#sampled;
  }

  get randomBits(): number {
    if (this.#beginsTrace()) return this.id.d >>> 0;
    const parent = this.#head.traceParent;
    if (parent !== undefined) return Number.parseInt(parent.traceId.slice(24), 16);
    return (this.trace?.uuid ?? this.id).d >>> 0;
  }

  get parentSampled(): boolean | undefined {
    return this.#head.traceParent?.sampled;
  }

  get otherTraceId(): string | undefined {
    return this.#beginsTrace() ? undefined : this.trace?.traceId;
  }

  // Private methods, not accessors: V8 looks those up anew, in its runtime, for each call.

  /** The trace begins with it, and has its id. */
  #beginsTrace(): boolean {
    return this.id.own === '' && this.#head.traceParent === undefined;
  }

  traceparent(attempt: number): ExtraField | undefined {
    if (this.#parts.tracing === undefined) return undefined;
    return attempt === 1 && this.#beginsTrace() ? ownTraceparent(this.sampled) : this.trace?.parentField(attempt);
  }

  /** Runs the chain, and forwards what it admits. */
  begin(): void {
    try {
      const verdict = this.#parts.chain.admit(this);
      if (verdict === undefined) this.#forward();
      else if (verdict instanceof Promise) this.#waitFor(verdict);
      else this.#refuse(verdict);
    } catch (error) {
      // A fault of ours in one call: the others of the connection go on.
      this.#fault(error);
    }
  }

  #waitFor(verdict: Promise<Refusal | undefined>): void {
    this.#openAttempts();
    this.#waiting = true;
    this.#limitWait();
    verdict
      .then((refusal) => {
        this.#waiting = false;
        if (this.#ended) return;
        if (this.#clientGone) this.#end(Code.CANCELLED, undefined, true);
        else if (this.#cutOff !== undefined) this.cutOff(this.#cutOff);
        else if (refusal !== undefined) this.#refuse(refusal);
        else this.#forward();
      })
      .catch((error: unknown) => {
        // The stage's, or of what came behind it: nobody else would catch that, and the process would end.
        this.#waiting = false;
        this.#fault(error);
      });
  }

  /**
   * Stages wait no longer than the caller does. For as long as it is not known who calls, only the caller's own word counts: what a
   * method allows would tell a stranger that there is one.
   */
  #limitWait(): void {
    const { method } = this;
    const backend = this.#findBackend();
    const isKnown = this.principal !== undefined && method !== undefined && backend !== undefined;
    const timeout = isKnown ? this.#timeout(method, backend) : this.#head.timeoutMs;
    if (timeout === undefined) return;
    this.deadlineAt = this.startedAt + timeout;
    this.#parts.deadlines.add(this);
  }

  #findBackend(): Backend | undefined {
    return this.method === undefined ? undefined : this.#parts.backends.get(this.method.backend);
  }

  #forward(): void {
    const { method } = this;
    const backend = this.#findBackend();
    if (method === undefined) {
      this.#fault(new Error('no backend for a call without a method'));
      return;
    }
    if (backend === undefined) {
      // A contract of the store, and this gateway's configuration file has its backend no longer.
      this.#refuse(backendUnavailable({ backend: method.backend, why: 'no_endpoint' }));
      return;
    }
    const attempts = this.#openAttempts();
    const now = this.#parts.now();
    const refusal = attempts.admit(backend, now);
    if (refusal !== undefined) {
      this.#refuse(refusal);
      return;
    }
    const timeout = this.#timeout(method, backend);
    if (timeout !== undefined) {
      this.#parts.deadlines.remove(this);
      this.deadlineAt = this.startedAt + timeout;
      if (this.deadlineAt <= now) {
        this.onDeadline();
        return;
      }
      this.#parts.deadlines.add(this);
    }
    attempts.begin(now);
  }

  /** DATA that comes before the chain has decided is held there. */
  #openAttempts(): Attempts {
    this.attempts ??= new Attempts(this, this.#parts, this.#head, this.#client, this.#headersOnly);
    return this.attempts;
  }

  /** Milliseconds from the call's begin: the client's, cut to what the method's policy allows. */
  #timeout(method: MethodEntry, backend: Backend): number | undefined {
    const most = method.policy.maxDeadlineMs;
    const asked = this.#head.timeoutMs ?? (most === undefined ? backend.defaultTimeoutMs : most);
    return most !== undefined && asked !== undefined && asked > most ? most : asked;
  }

  // The client's stream.

  onHeaders(): void {
    // A server's stream gets its request's headers before it has a handler.
  }

  onData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    this.#traffic.addRequest(buffer, start, end);
    if (this.#ended || this.attempts === undefined) stream.consume(end - start);
    else this.attempts.push(buffer, start, end, endStream);
  }

  /** gRPC requests have no trailers ("Requests" of gRPC over HTTP/2): what a client sends there ends the request, no more. */
  onTrailers(stream: Stream): void {
    this.onData(stream, EMPTY, 0, 0, true);
  }

  onSent(_stream: Stream, octets: number): void {
    this.attempts?.consume(octets);
  }

  onReset(_stream: Stream, _code: number, _cause: ResetCause): void {
    if (this.#ended) return;
    this.#clientGone = true;
    // A stage that still waits ends the call when it answers: it may hold what has to be settled.
    if (this.#waiting) return;
    this.attempts?.drop(ErrorCode.CANCEL);
    if (this.#isOverdue()) this.#end(Code.DEADLINE_EXCEEDED, deadlineExceeded(), false);
    else this.#end(Code.CANCELLED, undefined, true);
  }

  /**
   * The client's deadline and ours are one, and nearly always the client's fires first: its clock started earlier. It
   * cancels then, and that is no change of mind: a backend that hangs must look like one to the breaker.
   */
  #isOverdue(): boolean {
    if (this.deadlineAt === 0) return false;
    const slack = Math.min(DEADLINE_SLACK_MS, (this.deadlineAt - this.startedAt) * DEADLINE_SLACK_SHARE);
    return this.#parts.now() >= this.deadlineAt - slack;
  }

  onDeadline(): void {
    // A stage that still waits ends the call when it answers, and nobody is there to be told before.
    if (this.#clientGone) return;
    this.#refuse(deadlineExceeded());
  }

  // The backend's answer.

  onAnswer(head: ResponseHead, fault: Refusal | undefined, endStream: boolean): void {
    if (this.#ended) return;
    if (fault !== undefined) {
      this.#refuse(fault);
      return;
    }
    this.#responseStarted = true;
    this.#client.sendHeaders(head.forward, undefined, endStream);
    if (endStream) this.#finish(head.grpcStatus ?? Code.UNKNOWN);
    else if (this.method?.kind === 'server_stream' || this.method?.kind === 'bidi_stream') {
      // A stream's headers are its verdict: how long it then lives, and that a watch ends by its deadline, says nothing of the
      // backend, and a probe's place must not be held for hours.
      this.attempts?.settle(Code.OK, this.#parts.now());
    }
  }

  onAnswerData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.#ended) return;
    this.#traffic.addResponse(buffer, start, end);
    const taken = this.#client.sendData(buffer, start, end, false);
    if (taken > 0) stream.consume(taken);
    if (endStream) this.#refuse(statusMissing(this.#backendName()));
  }

  onAnswerTrailers(block: HeaderBlock): void {
    if (this.#ended) return;
    const head = readResponseHead(block);
    if (head.grpcStatus === undefined) {
      this.#refuse(statusMissing(this.#backendName(), head));
      return;
    }
    this.#client.sendTrailers(head.forward, undefined);
    this.#finish(head.grpcStatus);
  }

  onFailure(refusal: Refusal): void {
    this.#refuse(refusal);
  }

  onFault(error: unknown): void {
    this.#fault(error);
  }

  #backendName(): string {
    return this.attempts?.backendName ?? '';
  }

  // The end.

  /** The gateway ends the call, for reasons of its own: that says nothing of the backend. Does nothing when it is over. */
  cutOff(refusal: Refusal): void {
    if (this.#ended) return;
    // A stage that still waits may hold what has to be settled.
    if (this.#waiting) {
      this.#cutOff = refusal;
      return;
    }
    this.attempts?.ignore();
    this.#refuse(refusal);
  }

  /** The backend's own status ends the call; a client that still sends is told to stop by the engine. */
  #finish(status: number): void {
    this.attempts?.finish();
    this.#end(status <= Code.UNAUTHENTICATED ? status : Code.UNKNOWN, undefined, false);
  }

  #refuse(refusal: Refusal): void {
    if (this.#ended) return;
    this.attempts?.drop(ErrorCode.CANCEL);
    const told = this.listener.uniformErrors ? this.#parts.answers.uniform : refusal;
    if (this.#responseStarted) this.#parts.answers.endWith(this.#client, told, this.requestId);
    else this.#parts.answers.refuse(this.#client, told, this.requestId);
    this.#end(refusal.status, refusal, false);
  }

  /** Something of ours threw: that says nothing of the backend. */
  #fault(error: unknown): void {
    this.#parts.onFault(error, this);
    this.attempts?.ignore();
    this.#refuse(gatewayError());
  }

  #end(status: number, refusal: Refusal | undefined, cancelled: boolean): void {
    this.#ended = true;
    const { attempts } = this;
    this.#parts.deadlines.remove(this);
    const outcome = this.#outcome(status, refusal, cancelled);
    if (attempts !== undefined) {
      if (cancelled) attempts.ignore();
      else attempts.settle(status, this.startedAt + outcome.durationMs);
      attempts.end();
    }
    this.#parts.chain.settle(this, outcome);
    this.#parts.onEnd(this, outcome);
    exchanges.keep(this);
  }

  #outcome(status: number, refusal: Refusal | undefined, cancelled: boolean): Outcome {
    const now = this.#parts.now();
    const sentAt = this.attempts?.firstSentAt;
    return {
      status,
      refusal,
      reachedBackend: this.attempts?.reachedBackend ?? false,
      cancelled,
      durationMs: now - this.startedAt,
      backendMs: sentAt === undefined ? undefined : now - sentAt,
      traffic: this.#traffic,
    };
  }
}
