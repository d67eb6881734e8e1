import type { ConnectionOptions as TlsConnectionOptions, TlsOptions } from 'node:tls';

export const MIN_TLS_VERSION = 'TLSv1.2';
/** Milliseconds for a TLS handshake. */
const HANDSHAKE_MS = 10_000;

/**
 * Options of a TLS server of HTTP/2 (RFC 9113 sections 3.2 and 9.2: TLS 1.2 or later, ALPN).
 * @param http1 requests of HTTP/1 are answered, too
 */
export function serverTlsOptions(options: TlsOptions, http1: boolean): TlsOptions {
  const ALPNProtocols = http1 ? ['h2', 'http/1.1'] : ['h2'];
  return { minVersion: MIN_TLS_VERSION, handshakeTimeout: HANDSHAKE_MS, ...options, ALPNProtocols };
}

/** Options of a TLS client likewise. */
export function clientTlsOptions(options: TlsConnectionOptions): TlsConnectionOptions {
  return { minVersion: MIN_TLS_VERSION, ...options, ALPNProtocols: ['h2'] };
}
