import type { StageWait } from '../../chain/call.ts';
import { Code, codeName } from '../../grpc/status.ts';
import { isServerError } from '../server-error.ts';
import type { Attributes, SpanFacts, SpanWriter } from './encode-span.ts';
import { createSpanAttributes, type SpanAttributes } from './span-attributes.ts';
import type { SpannedCall } from './spanned-call.ts';

/** The number of the call's own span; those of its attempts follow. */
const CALL = 0;
/** Waits of the chain get ids above those of attempts. */
const FIRST_WAIT = 128;
/** Name of spans of calls to no method that is known. */
const UNKNOWN = 'unknown method';

/** @param epoch Unix milliseconds of the monotonic clock's zero */
export type SpanBuilder = (call: SpannedCall, writer: SpanWriter, epoch: number) => void;

/**
 * Makes the spans of calls that are over: the call's (SERVER), and inside it one for each wait of the chain and each attempt
 * (CLIENT). They are encoded at once: as objects for OpenTelemetry's serializer they cost four times as much.
 */
export function createSpanBuilder(): SpanBuilder {
  const known = createSpanAttributes();
  return (call, writer, epoch) => {
    const { parentTraceId, uuid } = call;
    const trace = { foreignId: parentTraceId === undefined ? undefined : Buffer.from(parentTraceId, 'hex'), uuid };
    writer.write(trace, serverSpan(known, call), epoch);
    for (const facts of waitSpans(known, call)) writer.write(trace, facts, epoch);
    for (const facts of attemptSpans(known, call)) writer.write(trace, facts, epoch);
  };
}

function serverSpan(known: SpanAttributes, call: SpannedCall): SpanFacts {
  const { status, reason, parentSpanId } = call;
  return {
    head: known.server(call.method ?? UNKNOWN),
    index: CALL,
    parent: parentSpanId === undefined ? undefined : Buffer.from(parentSpanId, 'hex'),
    startedAt: call.startedAt,
    endedAt: call.endedAt,
    error: isServerError(status) ? (reason ?? codeName(status)) : undefined,
    attributes: [
      rpc(known, call, status),
      known.peerAddress(call.remoteAddress),
      known.listener(call.listener),
      known.tenant(call.tenantId),
      known.keyId(call.keyId),
      known.reason(reason),
      known.cancelled(call.cancelled || undefined),
      known.attempts(call.attempts),
    ],
    requestId: call.requestId,
  };
}

/** Waits of stages, and inside them what the stages asked. */
function waitSpans(known: SpanAttributes, { waits }: SpannedCall): SpanFacts[] {
  return waits.map((wait, index) => {
    const { name, within, startedAt, endedAt, failed } = wait;
    // A stage's own wait is over, and noted, after those for what it asked.
    const parent = within === undefined ? -1 : waits.findIndex((other, at) => at > index && other.name === within);
    return {
      head: (within === undefined ? known.internal : known.client)(`tollgate.${name}`),
      index: FIRST_WAIT + index,
      parent: parent < 0 ? CALL : FIRST_WAIT + parent,
      startedAt,
      endedAt,
      error: failed === true ? 'failed' : undefined,
      attributes: within === undefined ? [] : askedOf(known, wait),
    };
  });
}

/** By the semantic conventions for HTTP and for databases: the one store across the network is Redis. */
function askedOf(known: SpanAttributes, { name, of }: StageWait): Attributes {
  if (name === 'store') return [known.database('redis')];
  return [known.httpMethod('GET'), known.url(of)];
}

function attemptSpans(known: SpanAttributes, call: SpannedCall): SpanFacts[] {
  const { past, sentTo } = call;
  const spans = past.map((attempt, index) =>
    attemptSpan(known, call, index, { ...attempt, notProcessed: attempt.unprocessed }),
  );
  if (sentTo === undefined) return spans;
  const last = {
    endpoint: sentTo,
    startedAt: call.sentAt,
    endedAt: call.endedAt,
    status: call.status,
    notProcessed: !call.reachedBackend,
  };
  spans.push(attemptSpan(known, call, past.length, last));
  return spans;
}

interface AttemptFacts {
  readonly endpoint: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly status: number;
  readonly notProcessed: boolean;
}

function attemptSpan(known: SpanAttributes, call: SpannedCall, index: number, attempt: AttemptFacts): SpanFacts {
  const { endpoint, status } = attempt;
  return {
    head: known.client(call.method ?? UNKNOWN),
    index: index + 1,
    parent: CALL,
    startedAt: attempt.startedAt,
    endedAt: attempt.endedAt,
    error: status === Code.OK ? undefined : codeName(status),
    attributes: [
      rpc(known, call, status),
      known.endpoint(endpoint),
      known.backend(call.backend),
      known.attempt(index + 1),
      known.notProcessed(attempt.notProcessed || undefined),
    ],
  };
}

function rpc(known: SpanAttributes, { method }: SpannedCall, status: number): Uint8Array | undefined {
  return known.rpc[status]?.(method ?? '_OTHER');
}
