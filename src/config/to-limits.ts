import type { Duration } from '../../generated/google/protobuf/duration.ts';
import type { Limits as LimitsMessage } from '../../generated/tollgate/config/v1/config.ts';
import { durationToMs } from '../contracts/policy.ts';

/** The limits of a listener that the configuration names; what it does not has the engine's default. */
export interface LimitSettings {
  readonly maxConnections?: number;
  readonly maxConnectionsOfSource?: number;
  /** `LocalSettings` of the engine. */
  readonly settings: { readonly maxConcurrentStreams?: number; readonly maxHeaderListSize?: number };
  /** `Limits` of the engine. Milliseconds; 0 is no limit. */
  readonly limits: {
    readonly maxHeaderFields?: number;
    readonly resetBurst?: number;
    readonly resetRate?: number;
    readonly controlBurst?: number;
    readonly controlRate?: number;
    readonly handshakeTimeoutMs?: number;
    readonly writeTimeoutMs?: number;
    readonly idleTimeoutMs?: number;
    readonly streamIdleTimeoutMs?: number;
    readonly keepaliveMs?: number;
  };
}

export function toLimits(message: LimitsMessage | undefined): LimitSettings {
  if (message === undefined) return { settings: {}, limits: {} };
  return {
    ...present({
      maxConnections: message.maxConnections,
      maxConnectionsOfSource: message.maxConnectionsPerSource,
    }),
    settings: present({
      maxConcurrentStreams: message.maxConcurrentStreams,
      maxHeaderListSize: message.maxHeaderListOctets,
    }),
    limits: present({
      maxHeaderFields: message.maxHeaderFields,
      resetBurst: message.resetBurst,
      resetRate: message.resetRate,
      controlBurst: message.controlBurst,
      controlRate: message.controlRate,
      handshakeTimeoutMs: milliseconds(message.handshakeTimeout),
      writeTimeoutMs: milliseconds(message.writeTimeout),
      idleTimeoutMs: milliseconds(message.idleTimeout),
      streamIdleTimeoutMs: milliseconds(message.streamIdleTimeout),
      keepaliveMs: milliseconds(message.keepalive),
    }),
  };
}

function milliseconds(duration: Duration | undefined): number | undefined {
  return duration && durationToMs(duration);
}

/** Without what is undefined: spread over defaults, that would hide them. */
function present<K extends string>(values: Record<K, number | undefined>): Partial<Record<K, number>> {
  const kept: Partial<Record<K, number>> = {};
  for (const key of Object.keys(values) as K[]) {
    const value = values[key];
    if (value !== undefined) kept[key] = value;
  }
  return kept;
}
