import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { AUTHORITY_PEM } from './tls-files.ts';

/** A TLS connection to a gateway under test, as a client sees it. @throws when the handshake fails */
export async function connectTls(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: AUTHORITY_PEM,
    ALPNProtocols: ['h2'],
    ...options,
  });
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

/** The common name of the certificate that a client gets who asks for this name (empty: for none). */
export async function nameServed(port: number, servername: string): Promise<string> {
  const socket = await connectTls(port, { servername, rejectUnauthorized: false });
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return String(name);
}

/** Sends octets, and gives what comes back until the peer closes. */
export async function exchangeText(socket: Socket, text: string | Buffer): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  socket.write(text);
  await closed;
  return Buffer.concat(chunks).toString('latin1');
}

export async function connectTcp(port: number): Promise<Socket> {
  const socket = connectPlain({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  return socket;
}
