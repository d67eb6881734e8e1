import { ErrorInfo, QuotaFailure, RetryInfo } from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import type { Observation } from '../support/grpc-client.ts';

/** A refusal of the gateway as a client decodes it. */
export interface DecodedRefusal {
  readonly code: number;
  readonly text: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  /** Of ErrorInfo. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Names of the messages of google.rpc, in their order. */
  readonly detailTypes: readonly string[];
  readonly quotaSubjects: readonly string[];
  readonly retryDelayMs: number | undefined;
  readonly pushbackMs: number | undefined;
  readonly messages: readonly Buffer[];
}

/** Decodes `grpc-status-details-bin` with the generated types. @throws when its status is not that of the trailers */
export function refusalOf({ code, details: text, trailers, messages }: Observation): DecodedRefusal {
  const packed = [trailers['grpc-status-details-bin'] ?? []].flat()[0];
  const inner = packed === undefined ? undefined : Status.decode(Buffer.from(packed, 'base64'));
  if (inner && (inner.code !== code || inner.message !== text)) {
    throw new Error(`the details say ${inner.code} ${inner.message}, the trailers ${code} ${text}`);
  }
  const details = inner?.details ?? [];
  const name = (typeUrl: string): string => typeUrl.replace('type.googleapis.com/google.rpc.', '');
  const find = (wanted: string): Uint8Array | undefined =>
    details.find(({ typeUrl }) => name(typeUrl) === wanted)?.value;
  const [info, quota, retry] = [find('ErrorInfo'), find('QuotaFailure'), find('RetryInfo')];
  const errorInfo = info && ErrorInfo.decode(info);
  const delay = retry && RetryInfo.decode(retry).retryDelay;
  const pushback = trailers['grpc-retry-pushback-ms'];
  return {
    code,
    text,
    reason: errorInfo?.reason,
    domain: errorInfo?.domain,
    metadata: errorInfo?.metadata ?? {},
    detailTypes: details.map(({ typeUrl }) => name(typeUrl)),
    quotaSubjects: quota ? QuotaFailure.decode(quota).violations.map(({ subject }) => subject) : [],
    retryDelayMs: delay && delay.seconds * 1_000 + delay.nanos / 1_000_000,
    pushbackMs: pushback === undefined ? undefined : Number(pushback),
    messages,
  };
}
