import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Outcome, StageWait } from '../../chain/call.ts';
import { Code, codeName } from '../../grpc/status.ts';
import type { CallTrace } from '../../routing/call-trace.ts';
import type { EndedCall } from '../../routing/exchange-parts.ts';
import { isServerError } from '../server-error.ts';
import type { EncodedSpans } from './encode-batch.ts';
import { type Attributes, encodeSpan, type SpanFacts, SpanKind } from './encode-span.ts';
import { createSpanAttributes, type SpanAttributes } from './span-attributes.ts';

/** Waits of the chain get ids above those of attempts. */
const FIRST_WAIT = 128;
const MAX_ATTEMPTS = 100;
const MAX_WAITS = 100;

/**
 * Makes the spans of calls that are over: the call's (SERVER), and inside it one for each wait of the chain and each attempt
 * (CLIENT). They are encoded at once: as objects for OpenTelemetry's serializer they cost four times as much.
 * @param epoch Unix milliseconds of the monotonic clock's zero
 */
export function createSpanBuilder(
  epoch: () => number,
): (call: EndedCall, trace: CallTrace, outcome: Outcome) => EncodedSpans {
  const writer = new BinaryWriter();
  const known = createSpanAttributes();
  return (call, trace, outcome) => {
    const at = epoch();
    const traceId = trace.traceOctets;
    const spans = [
      serverSpan(known, call, trace, outcome),
      ...waitSpans(known, call, trace),
      ...attemptSpans(known, call, trace, outcome),
    ];
    for (const facts of spans) encodeSpan(writer, traceId, facts, at);
    return { octets: writer.finish(), count: spans.length };
  };
}

/** How many spans a call has. */
export function countSpans({ attempts, waits }: EndedCall): number {
  const tried = Math.min(MAX_ATTEMPTS, attempts?.past?.length ?? 0) + (attempts?.sentTo === undefined ? 0 : 1);
  return 1 + tried + Math.min(MAX_WAITS, waits?.length ?? 0);
}

function serverSpan(
  known: SpanAttributes,
  call: EndedCall,
  trace: CallTrace,
  { status, refusal, cancelled, durationMs }: Outcome,
): SpanFacts {
  return {
    name: call.method?.name ?? 'unknown method',
    kind: SpanKind.SERVER,
    spanId: trace.spanOctets(0),
    parentSpanId: trace.parentSpanId === undefined ? undefined : Buffer.from(trace.parentSpanId, 'hex'),
    startedAt: call.startedAt,
    endedAt: call.startedAt + durationMs,
    error: isServerError(status) ? (refusal?.reason ?? codeName(status)) : undefined,
    attributes: [
      ...rpc(known, call, status),
      known.peerAddress(call.remoteAddress),
      known.requestId(call.requestId),
      known.listener(call.listener.name),
      known.tenant(call.tenant?.id ?? call.principal?.tenantId),
      known.keyId(call.principal?.id),
      known.reason(refusal?.reason),
      known.cancelled(cancelled || undefined),
      known.attempts(call.attempts?.endpointName === undefined ? 0 : (call.attempts.past?.length ?? 0) + 1),
    ],
  };
}

/** Waits of stages, and inside them what the stages asked. */
function waitSpans(known: SpanAttributes, call: EndedCall, trace: CallTrace): SpanFacts[] {
  const waits = (call.waits ?? []).slice(0, MAX_WAITS);
  return waits.map((wait, index) => {
    const { name, within, startedAt, endedAt, failed } = wait;
    // A stage's own wait is over, and noted, after those for what it asked.
    const parent = within === undefined ? -1 : waits.findIndex((other, at) => at > index && other.name === within);
    return {
      name: `tollgate.${name}`,
      kind: within === undefined ? SpanKind.INTERNAL : SpanKind.CLIENT,
      spanId: trace.spanOctets(FIRST_WAIT + index),
      parentSpanId: trace.spanOctets(parent < 0 ? 0 : FIRST_WAIT + parent),
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

function attemptSpans(known: SpanAttributes, call: EndedCall, trace: CallTrace, outcome: Outcome): SpanFacts[] {
  const { attempts } = call;
  if (attempts === undefined) return [];
  const past = (attempts.past ?? []).slice(0, MAX_ATTEMPTS);
  const spans = past.map((attempt, index) =>
    attemptSpan(known, call, trace, index, { ...attempt, notProcessed: attempt.unprocessed }),
  );
  const { sentTo } = attempts;
  if (sentTo === undefined) return spans;
  const last = {
    endpoint: sentTo,
    startedAt: attempts.sentAt,
    endedAt: call.startedAt + outcome.durationMs,
    status: outcome.status,
    notProcessed: !outcome.reachedBackend,
  };
  return [...spans, attemptSpan(known, call, trace, past.length, last)];
}

interface AttemptFacts {
  readonly endpoint: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly status: number;
  readonly notProcessed: boolean;
}

function attemptSpan(
  known: SpanAttributes,
  call: EndedCall,
  trace: CallTrace,
  index: number,
  attempt: AttemptFacts,
): SpanFacts {
  const { endpoint, status } = attempt;
  const colon = endpoint.startsWith('unix:') ? -1 : endpoint.lastIndexOf(':');
  return {
    name: call.method?.name ?? 'unknown method',
    kind: SpanKind.CLIENT,
    spanId: trace.spanOctets(index + 1),
    parentSpanId: trace.spanOctets(0),
    startedAt: attempt.startedAt,
    endedAt: attempt.endedAt,
    error: status === Code.OK ? undefined : codeName(status),
    attributes: [
      ...rpc(known, call, status),
      known.serverAddress(colon < 0 ? endpoint : endpoint.slice(0, colon)),
      known.serverPort(colon < 0 ? undefined : Number(endpoint.slice(colon + 1))),
      known.backend(call.attempts?.backendName),
      known.attempt(index + 1),
      known.notProcessed(attempt.notProcessed || undefined),
    ],
  };
}

function rpc(known: SpanAttributes, call: EndedCall, status: number): Attributes {
  return [known.system('grpc'), known.method(call.method?.name ?? '_OTHER'), known.status(codeName(status))];
}
