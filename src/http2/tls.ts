import type { ConnectionOptions as TlsConnectionOptions, TlsOptions } from 'node:tls';

/** Milliseconds for a TLS handshake. */
const HANDSHAKE_MS = 10_000;

/** Options of a TLS server that speaks HTTP/2 and nothing else (RFC 9113 sections 3.2 and 9.2: TLS 1.2 or later, ALPN). */
export function serverTlsOptions(options: TlsOptions): TlsOptions {
  return { minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_MS, ...options, ALPNProtocols: ['h2'] };
}

/** Options of a TLS client likewise. */
export function clientTlsOptions(options: TlsConnectionOptions): TlsConnectionOptions {
  return { minVersion: 'TLSv1.2', ...options, ALPNProtocols: ['h2'] };
}
