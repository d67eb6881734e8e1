import { type ServiceError, status } from '@grpc/grpc-js';
import { ErrorInfo, QuotaFailure, RetryInfo } from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';

/** What a refusal carries beside its status. */
export interface ErrorDetails {
  readonly errorInfo: ErrorInfo | undefined;
  readonly quotaFailure: QuotaFailure | undefined;
  readonly retryInfo: RetryInfo | undefined;
}

/** Decodes `grpc-status-details-bin` (a `google.rpc.Status`) with the generated types. */
export function errorDetails(error: ServiceError): ErrorDetails {
  const packed = error.metadata.get('grpc-status-details-bin')[0];
  const details = packed instanceof Buffer ? Status.decode(packed).details : [];
  const find = (name: string): Uint8Array | undefined =>
    details.find((any) => any.typeUrl === `type.googleapis.com/google.rpc.${name}`)?.value;
  const [info, quota, retry] = [find('ErrorInfo'), find('QuotaFailure'), find('RetryInfo')];
  return {
    errorInfo: info && ErrorInfo.decode(info),
    quotaFailure: quota && QuotaFailure.decode(quota),
    retryInfo: retry && RetryInfo.decode(retry),
  };
}

/** Milliseconds after which `RetryInfo` says that a retry makes sense; undefined when it says nothing. */
export function retryDelayMs(error: ServiceError): number | undefined {
  const delay = errorDetails(error).retryInfo?.retryDelay;
  return delay && delay.seconds * 1_000 + delay.nanos / 1_000_000;
}

/** The error and its details for people, one line each. */
export function describeError(error: ServiceError): string[] {
  const { errorInfo, quotaFailure } = errorDetails(error);
  const delay = retryDelayMs(error);
  const lines = [`${status[error.code]}: ${error.details}`];
  if (errorInfo) {
    lines.push(`ErrorInfo     reason ${errorInfo.reason}, domain ${errorInfo.domain}`);
    for (const [key, value] of Object.entries(errorInfo.metadata)) lines.push(`              ${key}: ${value}`);
  }
  for (const { subject, description } of quotaFailure?.violations ?? []) {
    lines.push(`QuotaFailure  ${subject}: ${description}`);
  }
  if (delay !== undefined) lines.push(`RetryInfo     try again in ${Math.ceil(delay)} ms`);
  const pushback = error.metadata.get('grpc-retry-pushback-ms')[0];
  if (pushback !== undefined) lines.push(`pushback      ${pushback === '-1' ? 'do not retry' : `${pushback} ms`}`);
  return lines;
}
