import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Outcome, StageWait } from '../../chain/call.ts';
import { Code, codeName } from '../../grpc/status.ts';
import type { CallTrace } from '../../routing/call-trace.ts';
import type { EndedCall } from '../../routing/exchange-parts.ts';
import { isServerError } from '../server-error.ts';
import type { EncodedSpans } from './encode-batch.ts';
import { type Attributes, encodeSpan, type SpanFacts, SpanKind } from './encode-span.ts';

/** Waits of the chain get ids above those of attempts. */
const FIRST_WAIT = 128;
const MAX_ATTEMPTS = 100;
const MAX_WAITS = 100;

/**
 * Makes the spans of calls that are over: the call's (SERVER), and inside it one for each wait of the chain and each attempt
 * (CLIENT). They are encoded at once: as objects for OpenTelemetry's serializer they cost three times as much.
 * @param epoch Unix milliseconds of the monotonic clock's zero
 */
export function createSpanBuilder(
  epoch: () => number,
): (call: EndedCall, trace: CallTrace, outcome: Outcome) => EncodedSpans {
  const writer = new BinaryWriter();
  return (call, trace, outcome) => {
    const at = epoch();
    const traceId = Buffer.from(trace.traceId, 'hex');
    const spans = [serverSpan(call, trace, outcome), ...waitSpans(call, trace), ...attemptSpans(call, trace, outcome)];
    for (const facts of spans) encodeSpan(writer, traceId, facts, at);
    return { octets: writer.finish(), count: spans.length };
  };
}

/** How many spans a call has. */
export function countSpans({ attempts, waits }: EndedCall): number {
  const tried = Math.min(MAX_ATTEMPTS, attempts?.past?.length ?? 0) + (attempts?.sentTo === undefined ? 0 : 1);
  return 1 + tried + Math.min(MAX_WAITS, waits?.length ?? 0);
}

function serverSpan(call: EndedCall, trace: CallTrace, { status, refusal, cancelled, durationMs }: Outcome): SpanFacts {
  return {
    name: call.method?.name ?? 'unknown method',
    kind: SpanKind.SERVER,
    spanId: trace.spanId(0),
    parentSpanId: trace.parentSpanId,
    startedAt: call.startedAt,
    endedAt: call.startedAt + durationMs,
    error: isServerError(status) ? (refusal?.reason ?? codeName(status)) : undefined,
    attributes: [
      ...rpc(call, status),
      ['network.peer.address', call.remoteAddress],
      ['tollgate.request_id', call.requestId],
      ['tollgate.listener', call.listener.name],
      ['tollgate.tenant', call.tenant?.id ?? call.principal?.tenantId],
      ['tollgate.key_id', call.principal?.id],
      ['tollgate.reason', refusal?.reason],
      ['tollgate.cancelled', cancelled || undefined],
      ['tollgate.attempts', call.attempts?.endpointName === undefined ? 0 : (call.attempts.past?.length ?? 0) + 1],
    ],
  };
}

/** Waits of stages, and inside them what the stages asked. */
function waitSpans(call: EndedCall, trace: CallTrace): SpanFacts[] {
  const waits = (call.waits ?? []).slice(0, MAX_WAITS);
  return waits.map((wait, index) => {
    const { name, within, startedAt, endedAt, failed } = wait;
    // A stage's own wait is over, and noted, after those for what it asked.
    const parent = within === undefined ? -1 : waits.findIndex((other, at) => at > index && other.name === within);
    return {
      name: `tollgate.${name}`,
      kind: within === undefined ? SpanKind.INTERNAL : SpanKind.CLIENT,
      spanId: trace.spanId(FIRST_WAIT + index),
      parentSpanId: trace.spanId(parent < 0 ? 0 : FIRST_WAIT + parent),
      startedAt,
      endedAt,
      error: failed === true ? 'failed' : undefined,
      attributes: within === undefined ? [] : askedOf(wait),
    };
  });
}

/** By the semantic conventions for HTTP and for databases: the one store across the network is Redis. */
function askedOf({ name, of }: StageWait): Attributes {
  if (name === 'store') return [['db.system.name', 'redis']];
  return [
    ['http.request.method', 'GET'],
    ['url.full', of],
  ];
}

function attemptSpans(call: EndedCall, trace: CallTrace, outcome: Outcome): SpanFacts[] {
  const { attempts } = call;
  if (attempts === undefined) return [];
  const past = (attempts.past ?? []).slice(0, MAX_ATTEMPTS);
  const spans = past.map((attempt, index) =>
    attemptSpan(call, trace, index, { ...attempt, notProcessed: attempt.unprocessed }),
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
  return [...spans, attemptSpan(call, trace, past.length, last)];
}

interface AttemptFacts {
  readonly endpoint: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly status: number;
  readonly notProcessed: boolean;
}

function attemptSpan(call: EndedCall, trace: CallTrace, index: number, attempt: AttemptFacts): SpanFacts {
  const { endpoint, status } = attempt;
  const colon = endpoint.startsWith('unix:') ? -1 : endpoint.lastIndexOf(':');
  return {
    name: call.method?.name ?? 'unknown method',
    kind: SpanKind.CLIENT,
    spanId: trace.spanId(index + 1),
    parentSpanId: trace.spanId(0),
    startedAt: attempt.startedAt,
    endedAt: attempt.endedAt,
    error: status === Code.OK ? undefined : codeName(status),
    attributes: [
      ...rpc(call, status),
      ['server.address', colon < 0 ? endpoint : endpoint.slice(0, colon)],
      ['server.port', colon < 0 ? undefined : Number(endpoint.slice(colon + 1))],
      ['tollgate.backend', call.attempts?.backendName],
      ['tollgate.attempt', index + 1],
      ['tollgate.not_processed', attempt.notProcessed || undefined],
    ],
  };
}

function rpc(call: EndedCall, status: number): Attributes {
  return [
    ['rpc.system.name', 'grpc'],
    ['rpc.method', call.method?.name ?? '_OTHER'],
    ['rpc.response.status_code', codeName(status)],
  ];
}
