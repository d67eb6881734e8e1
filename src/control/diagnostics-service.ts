import { Session } from 'node:inspector/promises';
import { setTimeout } from 'node:timers/promises';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { Duration } from '../../generated/google/protobuf/duration.ts';
import type {
  DiagnosticsServiceServer,
  EndedCall,
  GetCallRequest,
  GetCallResponse,
  GetCpuProfileRequest,
  GetCpuProfileResponse,
  GetStateResponse,
} from '../../generated/tollgate/admin/v1/diagnostics.ts';
import { durationToMs } from '../contracts/policy.ts';
import { Code, codeName } from '../grpc/status.ts';
import type { CallRecord } from '../telemetry/call-record.ts';
import type { Logger } from '../telemetry/logger.ts';
import { readCaller } from './caller.ts';
import { ControlError } from './control-error.ts';
import { toErrorStatus } from './error-status.ts';
import { createUnaryHandler } from './unary-handler.ts';

/** What the service shows. */
export interface DiagnosticsSource {
  findCall(requestId: string): CallRecord | undefined;
  /** Unix milliseconds of the monotonic clock's zero. */
  epoch(): number;
  state(): Promise<GetStateResponse>;
}

const DEFAULT_PROFILE_MS = 5000;
const PIECE = 65_536;

/** `tollgate.admin.v1.DiagnosticsService`. */
export function createDiagnosticsService(source: DiagnosticsSource, log: Logger): DiagnosticsServiceServer {
  let profiling = false;
  return {
    getCall: createUnaryHandler(log, ({ requestId }: GetCallRequest): GetCallResponse => {
      const record = source.findCall(requestId);
      if (record !== undefined) return { call: toEndedCall(record, source.epoch()) };
      throw new ControlError(
        Code.NOT_FOUND,
        'CALL_UNKNOWN',
        `This gateway remembers no call "${requestId}". It may still run, be too old, or have gone through another gateway; the log has it if it failed.`,
      );
    }),
    getState: createUnaryHandler(log, () => source.state()),
    getCpuProfile: (call) => {
      const { requestId } = readCaller(call.metadata);
      const fail = (error: unknown): void => void call.emit('error', toErrorStatus(error, requestId, log));
      if (profiling) {
        fail(new ControlError(Code.RESOURCE_EXHAUSTED, 'PROFILE_RUNS', 'a profile is being taken: wait for its end'));
        return;
      }
      profiling = true;
      sendProfile(call)
        .catch(fail)
        .finally(() => {
          profiling = false;
        });
    },
  };
}

/** Ends early when the caller goes. */
async function sendProfile(call: ServerWritableStream<GetCpuProfileRequest, GetCpuProfileResponse>): Promise<void> {
  const { duration } = call.request;
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    const ms = duration === undefined ? DEFAULT_PROFILE_MS : durationToMs(duration);
    await setTimeout(ms, undefined, { signal: gone.signal }).catch(() => {});
    const { profile } = await session.post('Profiler.stop');
    const octets = Buffer.from(JSON.stringify(profile));
    for (let at = 0; at < octets.length; at += PIECE) call.write({ piece: octets.subarray(at, at + PIECE) });
    call.end();
  } finally {
    session.disconnect();
  }
}

function toEndedCall(record: CallRecord, epoch: number): EndedCall {
  const { refusal } = record;
  return {
    requestId: record.requestId,
    traceId: record.traceId,
    listener: record.listener,
    tenantId: record.tenantId,
    principalId: record.principalId,
    method: record.method,
    status: codeName(record.status),
    reason: refusal?.reason ?? '',
    message: refusal?.message ?? '',
    facts: { ...refusal?.metadata },
    startedAt: new Date(epoch + record.startedAt),
    duration: toDuration(record.durationMs),
    backendDuration: record.backendMs === undefined ? undefined : toDuration(record.backendMs),
    cancelled: record.cancelled,
    waits: (record.waits ?? []).map(({ name, within, startedAt, endedAt }) => ({
      name: within === undefined ? name : `${within}/${name}`,
      duration: toDuration(endedAt - startedAt),
    })),
    backend: record.backend,
    attempts: record.attempts.map((attempt) => ({
      endpoint: attempt.endpoint,
      status: codeName(attempt.status),
      duration: toDuration(attempt.endedAt - attempt.startedAt),
      notProcessed: attempt.unprocessed,
    })),
    requestOctets: record.requestOctets,
    responseOctets: record.responseOctets,
    remoteAddress: record.remoteAddress,
  };
}

function toDuration(ms: number): Duration {
  const nanos = Math.round(Math.max(0, ms) * 1e6);
  return Duration.create({ seconds: Math.floor(nanos / 1e9), nanos: nanos % 1e9 });
}
