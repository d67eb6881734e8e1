import type { Credential, Outcome, PeerIdentity, Principal, Refusal } from '../chain/call.ts';
import type { ChainedCall } from '../chain/chain.ts';
import type { Deadline } from '../chain/deadlines.ts';
import { backendUnavailable, deadlineExceeded, gatewayError } from '../chain/refusal.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import { Code } from '../grpc/status.ts';
import { formatTimeout } from '../grpc/timeout.ts';
import {
  ErrorCode,
  Field,
  type HeaderBlock,
  Indexing,
  ResetCause,
  type Stream,
  type StreamHandler,
} from '../http2/index.ts';
import type { Plan, Snapshot, Tenant } from '../sync/snapshot.ts';
import type { Backend, Endpoint, Permit } from './backend.ts';
import type { EndedCall, ExchangeParts } from './exchange-parts.ts';
import { Kind } from './header-names.ts';
import { HeldData } from './held-data.ts';
import type { ListenerView } from './listener-view.ts';
import type { RequestHead } from './request-head.ts';
import { isRequestId } from './request-id.ts';
import { faultOfHeaders, faultOfReset, statusMissing } from './response-faults.ts';
import { readResponseHead } from './response-head.ts';
import { Traffic } from './traffic.ts';

const EMPTY = Buffer.alloc(0);
const NONE: readonly Field[] = [];

/** How much earlier than our deadline a cancellation by the client is taken for its deadline. */
const DEADLINE_SLACK_MS = 20;
const DEADLINE_SLACK_SHARE = 0.2;

/**
 * One call from its headers to its end: the client's stream on one side, the backend's on the other. It is the handler of
 * the client's stream; `ResponseSide` is that of the backend's. Everything that may end a call leads to `#end`, which
 * settles it exactly once.
 */
export class Exchange implements ChainedCall, StreamHandler, Deadline, EndedCall {
  readonly startedAt: number;
  readonly snapshot: Snapshot;
  readonly credential: Credential;
  readonly method: MethodEntry | undefined;
  principal: Principal | undefined = undefined;
  tenant: Tenant | undefined = undefined;
  plan: Plan | undefined = undefined;
  reservedUnits = 0;
  countsConcurrency = false;
  admittedStages = 0;
  deadlineAt = 0;
  deadlineNext: Deadline | undefined = undefined;
  deadlinePrevious: Deadline | undefined = undefined;
  deadlineSlot = -1;
  readonly listener: ListenerView;
  readonly #parts: ExchangeParts;
  readonly #head: RequestHead;
  readonly #client: Stream;
  #backendStream: Stream | undefined = undefined;
  #permit: Permit | undefined = undefined;
  #endpoint: Endpoint | undefined = undefined;
  #backend: Backend | undefined = undefined;
  #requestId = '';
  /** The client has sent all it will. */
  #requestEnded: boolean;
  #responseStarted = false;
  #ended = false;
  /** A stage of the chain has not answered yet. */
  #waiting = false;
  /** What the gateway ends the call with, once that stage has answered. */
  #cutOff: Refusal | undefined = undefined;
  /** The client cancelled, or its connection was lost. */
  #clientGone = false;
  /** The backend certainly did not see the call. */
  #unprocessed = false;
  /** When the request was handed to the backend's connection; monotonic milliseconds. */
  #sentAt = 0;
  readonly #traffic: Traffic;
  /** DATA that came before the chain had decided; the client's window bounds it. */
  #held: HeldData | undefined = undefined;

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
    this.#requestEnded = requestEnded;
    this.#traffic = new Traffic(head.method?.kind);
    this.startedAt = parts.now();
  }

  get remoteAddress(): string {
    return this.#client.connection?.remoteAddress ?? '';
  }

  get peerIdentity(): PeerIdentity | undefined {
    return this.#client.connection?.peerIdentity;
  }

  get requestId(): string {
    if (this.#requestId === '') {
      const own = this.listener.trustRequestId ? this.#head.requestId : undefined;
      this.#requestId = own !== undefined && isRequestId(own) ? own : this.#parts.requestIds.next();
    }
    return this.#requestId;
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
    this.#held = new HeldData();
    this.#waiting = true;
    verdict
      .then((refusal) => {
        this.#waiting = false;
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

  #forward(): void {
    const { method } = this;
    const backend = method === undefined ? undefined : this.#parts.backends.get(method.backend);
    if (method === undefined || backend === undefined) {
      this.#fault(new Error(`no backend for ${method?.path ?? 'a call without a method'}`));
      return;
    }
    const permit = backend.breaker.acquire();
    if (typeof permit === 'number') {
      this.#refuse(backendUnavailable({ backend: backend.name, why: 'breaker_open', retryAfterMs: permit }));
      return;
    }
    this.#backend = backend;
    this.#permit = permit;
    const timeout = this.#timeout(method, backend);
    if (timeout === undefined) {
      this.#send(backend, undefined);
      return;
    }
    this.deadlineAt = this.startedAt + timeout;
    const left = this.deadlineAt - this.#parts.now();
    if (left <= 0) {
      this.onDeadline();
      return;
    }
    this.#parts.deadlines.add(this);
    this.#send(backend, new Field('grpc-timeout', formatTimeout(left), Kind.TIMEOUT, Indexing.SKIP));
  }

  #send(backend: Backend, timeout: Field | undefined): void {
    this.#sentAt = this.#parts.now();
    const endpoint = backend.pick(this.#sentAt);
    endpoint.outstanding++;
    this.#endpoint = endpoint;
    const id = new Field('x-request-id', this.requestId, Kind.REQUEST_ID, Indexing.SKIP);
    const extra = timeout === undefined ? [id] : [id, timeout];
    if (backend.isControl) {
      extra.push(new Field('x-tollgate-remote-address', this.remoteAddress, Kind.RESERVED, Indexing.SKIP));
    }
    const block = this.#head.forwardBlock(
      this.principal,
      backend.secure,
      backend.isControl ? this.listener.controlFields(this.principal) : NONE,
    );
    const held = this.#held;
    this.#held = undefined;
    const endNow = this.#requestEnded && (held === undefined || held.length === 0);
    const stream = endpoint.client.request(new ResponseSide(this), block, extra, endNow);
    // A client that cannot even queue the request says so before it returns.
    if (this.#ended) return;
    this.#backendStream = stream;
    if (held === undefined || held.length === 0) return;
    const taken = held.release(stream, this.#requestEnded);
    if (taken > 0) this.#client.consume(taken);
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
    if (endStream) this.#requestEnded = true;
    this.#traffic.addRequest(buffer, start, end);
    const out = this.#backendStream;
    if (out !== undefined) {
      const taken = out.sendData(buffer, start, end, endStream);
      if (taken > 0) stream.consume(taken);
    } else if (this.#held !== undefined && !this.#ended) {
      this.#held.push(buffer, start, end);
    } else {
      stream.consume(end - start);
    }
  }

  /** gRPC requests have no trailers ("Requests" of gRPC over HTTP/2): what a client sends there ends the request, no more. */
  onTrailers(stream: Stream): void {
    this.onData(stream, EMPTY, 0, 0, true);
  }

  onSent(_stream: Stream, octets: number): void {
    this.#backendStream?.consume(octets);
  }

  onReset(_stream: Stream, _code: number, _cause: ResetCause): void {
    if (this.#ended) return;
    this.#clientGone = true;
    // A stage that still waits ends the call when it answers: it may hold what has to be settled.
    if (this.#waiting) return;
    this.#dropBackend(ErrorCode.CANCEL);
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
    this.#refuse(deadlineExceeded());
  }

  // The backend's stream.

  onResponseHeaders(block: HeaderBlock, endStream: boolean): void {
    if (this.#ended) return;
    const head = readResponseHead(block);
    const fault = faultOfHeaders(this.#backendName, head, endStream);
    if (fault !== undefined) {
      this.#refuse(fault);
      return;
    }
    this.#responseStarted = true;
    this.#client.sendHeaders(head.forward, undefined, endStream);
    if (endStream) this.#finish(head.grpcStatus ?? Code.UNKNOWN);
    else if (this.method?.kind === 'server_stream' || this.method?.kind === 'bidi_stream') {
      this.#settlePermit(Code.OK, this.#parts.now() - this.startedAt);
    }
  }

  onResponseData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.#ended) return;
    this.#traffic.addResponse(buffer, start, end);
    const taken = this.#client.sendData(buffer, start, end, false);
    if (taken > 0) stream.consume(taken);
    if (endStream) this.#refuse(statusMissing(this.#backendName));
  }

  onResponseTrailers(block: HeaderBlock): void {
    if (this.#ended) return;
    const head = readResponseHead(block);
    if (head.grpcStatus === undefined) {
      this.#refuse(statusMissing(this.#backendName, head));
      return;
    }
    this.#client.sendTrailers(head.forward, undefined);
    this.#finish(head.grpcStatus);
  }

  onResponseSent(octets: number): void {
    this.#client.consume(octets);
  }

  onResponseReset(code: number, cause: ResetCause): void {
    if (this.#ended) return;
    this.#backendStream = undefined;
    if (cause === ResetCause.UNPROCESSED) {
      this.#unprocessed = true;
      if (this.#endpoint !== undefined) this.#backend?.avoid(this.#endpoint, this.#parts.now());
    }
    this.#refuse(faultOfReset(this.#backendName, code, cause));
  }

  get #backendName(): string {
    return this.#backend?.name ?? '';
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
    this.#permit?.ignore();
    this.#permit = undefined;
    this.#refuse(refusal);
  }

  /**
   * The backend's own status ends the call; a client that still sends is told to stop by the engine. What the backend has
   * not taken of the request is dropped: it may never take it, and the stream would be held for ever.
   */
  #finish(status: number): void {
    const queued = this.#backendStream?.queued ?? 0;
    if (!this.#requestEnded || queued > 0) this.#dropBackend(ErrorCode.NO_ERROR);
    this.#end(status <= Code.UNAUTHENTICATED ? status : Code.UNKNOWN, undefined, false);
  }

  #refuse(refusal: Refusal): void {
    if (this.#ended) return;
    this.#dropBackend(ErrorCode.CANCEL);
    this.#held = undefined;
    const told = this.listener.uniformErrors ? this.#parts.answers.uniform : refusal;
    if (this.#responseStarted) this.#parts.answers.endWith(this.#client, told, this.requestId);
    else this.#parts.answers.refuse(this.#client, told, this.requestId);
    this.#end(refusal.status, refusal, false);
  }

  /** Something of ours threw: that says nothing of the backend. */
  #fault(error: unknown): void {
    this.#parts.onFault(error, this);
    this.#permit?.ignore();
    this.#permit = undefined;
    this.#refuse(gatewayError());
  }

  #dropBackend(code: number): void {
    const stream = this.#backendStream;
    this.#backendStream = undefined;
    stream?.reset(code);
  }

  #end(status: number, refusal: Refusal | undefined, cancelled: boolean): void {
    this.#ended = true;
    this.#parts.deadlines.remove(this);
    const outcome = this.#outcome(status, refusal, cancelled);
    if (cancelled) this.#permit?.ignore();
    else this.#settlePermit(status, outcome.durationMs);
    if (this.#endpoint !== undefined) this.#endpoint.outstanding--;
    this.#parts.chain.settle(this, outcome);
    for (const subscriber of this.#parts.onEnd) subscriber(this, outcome);
  }

  /**
   * Tells the breaker. A stream's headers are its verdict: how long it then lives, and that a watch ends by its deadline, says
   * nothing of the backend, and a probe's place must not be held for hours.
   */
  #settlePermit(status: number, durationMs: number): void {
    const permit = this.#permit;
    this.#permit = undefined;
    permit?.settle(status, durationMs);
  }

  #outcome(status: number, refusal: Refusal | undefined, cancelled: boolean): Outcome {
    const now = this.#parts.now();
    return {
      status,
      refusal,
      reachedBackend: this.#endpoint !== undefined && !this.#unprocessed,
      cancelled,
      durationMs: now - this.startedAt,
      backendMs: this.#endpoint === undefined ? undefined : now - this.#sentAt,
      traffic: this.#traffic,
    };
  }
}

/** The handler of the backend's stream. */
class ResponseSide implements StreamHandler {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  onHeaders(_stream: Stream, block: HeaderBlock, endStream: boolean): void {
    this.#exchange.onResponseHeaders(block, endStream);
  }

  onData(stream: Stream, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    this.#exchange.onResponseData(stream, buffer, start, end, endStream);
  }

  onTrailers(_stream: Stream, block: HeaderBlock): void {
    this.#exchange.onResponseTrailers(block);
  }

  onSent(_stream: Stream, octets: number): void {
    this.#exchange.onResponseSent(octets);
  }

  onReset(_stream: Stream, code: number, cause: ResetCause): void {
    this.#exchange.onResponseReset(code, cause);
  }
}
