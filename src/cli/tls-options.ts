import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js';
import { ExitCode } from './exit-codes.ts';
import { CliError, type Io } from './io.ts';

/** How to reach a listener over TLS. Without any of it calls go in plaintext. */
export interface TlsOptions {
  /** TLS, with the authorities that the system trusts. */
  readonly tls?: boolean | undefined;
  /** PEM file of the authorities to trust instead. */
  readonly ca?: string | undefined;
  /** PEM files of a client certificate. */
  readonly cert?: string | undefined;
  readonly certKey?: string | undefined;
  /** The name that the server's certificate must have; that of the address when absent. */
  readonly serverName?: string | undefined;
}

/** @throws CliError when a file cannot be read, or what is in it is no PEM */
export async function openCredentials(
  options: TlsOptions,
  io: Io,
): Promise<{ credentials: ChannelCredentials; channel: ChannelOptions }> {
  const { tls, ca, cert, certKey, serverName } = options;
  if (!tls && ca === undefined && cert === undefined && certKey === undefined && serverName === undefined) {
    return { credentials: credentials.createInsecure(), channel: {} };
  }
  if ((cert === undefined) !== (certKey === undefined)) {
    throw new CliError('--cert and --cert-key belong together: a client certificate and its key', ExitCode.USAGE);
  }
  const [roots, key, chain] = await Promise.all([
    readPem('--ca', ca, io),
    readPem('--cert-key', certKey, io),
    readPem('--cert', cert, io),
  ]);
  const channel = serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName };
  try {
    return { credentials: credentials.createSsl(roots, key, chain), channel };
  } catch (error) {
    throw new CliError(`the certificates cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function readPem(option: string, file: string | undefined, io: Io): Promise<Buffer | null> {
  if (file === undefined) return null;
  let pem: Buffer;
  try {
    pem = await readFile(resolve(io.cwd, file));
  } catch (error) {
    throw new CliError(`cannot read ${option} ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!pem.includes('-----BEGIN ')) throw new CliError(`${option} ${file} is not a PEM file`);
  return pem;
}
