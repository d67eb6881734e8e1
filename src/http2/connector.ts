import { connect, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import { onreadOption, type ReaderPlace } from './socket-reading.ts';
import { SocketWire } from './socket-wire.ts';
import { clientTlsOptions } from './tls.ts';
import type { Wire } from './wire.ts';

/** Where a client connects to: a host and port, or a Unix socket. `lookup` resolves the host, where the system is not to do it. */
export type Target =
  | { readonly host: string; readonly port: number; readonly lookup?: LookupFunction | undefined }
  | { readonly path: string };

/** TLS of a client: `ca`, `cert`, `key`, `servername`, ... as `tls.connect` takes them. */
export type ClientTls = Omit<TlsConnectionOptions, 'host' | 'port' | 'path' | 'socket' | 'ALPNProtocols'>;

/** A socket on its way, and what becomes of it. */
export interface Attempt {
  readonly socket: Socket;
  readonly wire: Wire;
}

/**
 * Opens a socket, TLS with ALPN `h2` if `tls` is given. `onConnected` is called at most once; errors and the end are the
 * socket's own events.
 */
export function openSocket(
  target: Target,
  tls: ClientTls | undefined,
  onConnected: (attempt: Attempt) => void,
): Attempt {
  return tls === undefined ? openPlain(target, onConnected) : openTls(target, tls, onConnected);
}

function openPlain(target: Target, onConnected: (attempt: Attempt) => void): Attempt {
  const place: ReaderPlace = { reader: undefined };
  const socket = connect({ ...target, onread: onreadOption(place) });
  const attempt: Attempt = { socket, wire: new SocketWire(socket, place) };
  socket.once('connect', () => onConnected(attempt));
  return attempt;
}

function openTls(target: Target, tls: ClientTls, onConnected: (attempt: Attempt) => void): Attempt {
  const socket = connectTls({ ...clientTlsOptions(tls), ...target });
  const attempt: Attempt = { socket, wire: new SocketWire(socket) };
  socket.once('secureConnect', () => {
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy(new Error('the peer does not speak HTTP/2 (no ALPN h2)'));
      return;
    }
    onConnected(attempt);
  });
  return attempt;
}
