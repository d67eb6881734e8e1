import type { StageWait } from '../../chain/call.ts';
import { Code, codeName } from '../../grpc/status.ts';
import type { PastAttempt } from '../../routing/attempts.ts';
import { isServerError } from '../server-error.ts';
import type { SpanTrace, SpanWriter } from './encode-span.ts';
import { createSpanAttributes, type SpanAttributes } from './span-attributes.ts';
import type { SpannedCall } from './spanned-call.ts';

/** The number of the call's own span; those of its attempts follow. */
const CALL = 0;
/** Waits of the chain get ids above those of attempts. */
const FIRST_WAIT = 128;
/** Name of spans of calls to no method that is known. */
const UNKNOWN = 'unknown method';

/** Writes the spans of a call. @param epoch Unix milliseconds of the monotonic clock's zero */
export type SpanBuilder = (call: SpannedCall, writer: SpanWriter, epoch: number) => void;

/** What writes the spans of one call. */
interface Writing {
  readonly known: SpanAttributes;
  readonly writer: SpanWriter;
  readonly call: SpannedCall;
  readonly trace: SpanTrace;
  readonly epoch: number;
}

/**
 * Makes the spans of calls that are over: the call's (SERVER), and inside it one for each wait of the chain and each attempt
 * (CLIENT). They are encoded at once: as objects for OpenTelemetry's serializer they cost four times as much.
 */
export function createSpanBuilder(): SpanBuilder {
  const known = createSpanAttributes();
  return (call, writer, epoch) => {
    const { parentTraceId, uuid } = call;
    const foreignId = parentTraceId === undefined ? undefined : Buffer.from(parentTraceId, 'hex');
    const writing = { known, writer, call, trace: { foreignId, uuid }, epoch };
    writeCall(writing);
    writeWaits(writing);
    writeAttempts(writing);
  };
}

function writeCall({ known, writer, call, trace, epoch }: Writing): void {
  const { status, reason, parentSpanId, startedAt, endedAt } = call;
  const head = known.server(call.method ?? UNKNOWN);
  const parent = parentSpanId === undefined ? undefined : Buffer.from(parentSpanId, 'hex');
  writer.begin(trace, { head, index: CALL, parent, startedAt, endedAt }, epoch);
  writer.add(rpc(known, call, status));
  writer.addText(known.peerAddress, call.remoteAddress);
  writer.add(known.listener(call.listener));
  writer.addText(known.tenant, call.tenantId);
  writer.addText(known.keyId, call.keyId);
  writer.add(known.reason(reason));
  writer.add(known.cancelled(call.cancelled || undefined));
  writer.add(known.attempts(call.attempts));
  writer.addRequestId(call.requestId);
  writer.end(isServerError(status) ? (reason ?? codeName(status)) : undefined);
}

/** Waits of stages, and inside them what the stages asked. */
function writeWaits({ known, writer, call: { waits }, trace, epoch }: Writing): void {
  for (let i = 0; i < waits.length; i++) {
    const wait = waits[i]!;
    const { name, within, startedAt, endedAt, failed } = wait;
    // A stage's own wait is over, and noted, after those for what it asked.
    const parent = within === undefined ? -1 : waits.findIndex((other, at) => at > i && other.name === within);
    const head = (within === undefined ? known.internal : known.client)(`tollgate.${name}`);
    const parentIndex = parent < 0 ? CALL : FIRST_WAIT + parent;
    writer.begin(trace, { head, index: FIRST_WAIT + i, parent: parentIndex, startedAt, endedAt }, epoch);
    if (within !== undefined) addAsked(known, writer, wait);
    writer.end(failed === true ? 'failed' : undefined);
  }
}

/** By the semantic conventions for HTTP and for databases: the one store across the network is Redis. */
function addAsked(known: SpanAttributes, writer: SpanWriter, { name, of }: StageWait): void {
  if (name === 'store') {
    writer.add(known.database('redis'));
    return;
  }
  writer.add(known.httpMethod('GET'));
  writer.add(known.url(of));
}

function writeAttempts(writing: Writing): void {
  const { past, sentTo, sentAt, endedAt, status, reachedBackend } = writing.call;
  for (let i = 0; i < past.length; i++) writeAttempt(writing, i, past[i]!);
  if (sentTo === undefined) return;
  const last = { endpoint: sentTo, startedAt: sentAt, endedAt, status, unprocessed: !reachedBackend };
  writeAttempt(writing, past.length, last);
}

function writeAttempt({ known, writer, call, trace, epoch }: Writing, place: number, attempt: PastAttempt): void {
  const { endpoint, status, startedAt, endedAt } = attempt;
  const head = known.client(call.method ?? UNKNOWN);
  writer.begin(trace, { head, index: place + 1, parent: CALL, startedAt, endedAt }, epoch);
  writer.add(rpc(known, call, status));
  writer.add(known.endpoint(endpoint));
  writer.add(known.backend(call.backend));
  writer.add(known.attempt(place + 1));
  writer.add(known.notProcessed(attempt.unprocessed || undefined));
  writer.end(status === Code.OK ? undefined : codeName(status));
}

function rpc(known: SpanAttributes, { method }: SpannedCall, status: number): Uint8Array | undefined {
  return known.rpc[status]?.(method ?? '_OTHER');
}
