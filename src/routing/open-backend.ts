import { Client, type ClientTls, type FloodKind, type Flusher, type Target } from '../http2/index.ts';
import { Backend, type Breaker } from './backend.ts';
import type { DirectAnswers } from './direct-answers.ts';
import { HEADER_NAMES } from './header-names.ts';
import type { RetryOptions } from './retries.ts';

/** Where a backend is, and how to reach it. */
export interface BackendTarget {
  readonly name: string;
  readonly endpoints: readonly Target[];
  /** Undefined is cleartext. */
  readonly tls: ClientTls | undefined;
  readonly connectTimeoutMs: number;
  readonly defaultTimeoutMs: number | undefined;
  /** Connections to each endpoint. */
  readonly maxConnections: number;
  readonly retry?: RetryOptions;
  /** Octets of an answer that the backend may send before they are taken; default that of the engine's clients. */
  readonly answerWindow?: number;
}

export interface BackendParts {
  readonly breaker: Breaker;
  /** In [0, 1). */
  readonly random: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly flusher?: Flusher;
  readonly isControl?: boolean;
  readonly direct?: DirectAnswers;
  /** Asked before each attempt to connect: why it must not be made. */
  readonly refuse?: ((endpoint: Target) => Error | undefined) | undefined;
  /** A connection could not be made, or something of ours threw. */
  readonly onError: (endpoint: string, error: unknown) => void;
  /** The backend broke a limit of ours. */
  readonly onFlood?: (kind: FloodKind) => void;
}

/** Makes a backend with a pool of connections to each of its endpoints. None is opened before the first call. */
export function openBackend(target: BackendTarget, parts: BackendParts): Backend {
  const { tls } = target;
  const endpoints = target.endpoints.map((endpoint) => {
    const name = 'path' in endpoint ? `unix:${endpoint.path}` : `${endpoint.host}:${endpoint.port}`;
    const onError = (error: unknown) => parts.onError(name, error);
    const client = new Client({
      target: endpoint,
      tls,
      names: HEADER_NAMES,
      maxConnections: target.maxConnections,
      connectTimeoutMs: target.connectTimeoutMs,
      clock: parts.now,
      ...(target.answerWindow === undefined ? {} : { settings: { initialWindowSize: target.answerWindow } }),
      ...(parts.flusher === undefined ? {} : { flusher: parts.flusher }),
      random: parts.random,
      refuse: parts.refuse,
      onConnectionError: onError,
      onError,
      onFlood: (kind) => parts.onFlood?.(kind),
    });
    return { name, client };
  });
  return new Backend({
    name: target.name,
    endpoints,
    breaker: parts.breaker,
    secure: tls !== undefined,
    defaultTimeoutMs: target.defaultTimeoutMs,
    isControl: parts.isControl ?? false,
    direct: parts.direct,
    retry: target.retry,
    random: parts.random,
  });
}
