import { createSecureContext } from 'node:tls';
import type { ClientTls } from '../http2/index.ts';
import { CertificateError, type ReadFile, readAuthorities, readCertificate } from './read-certificate.ts';

/** How a backend is reached over TLS: paths of PEM files. */
export interface ClientTlsFiles {
  /** Authorities to trust; undefined: those of the system. */
  readonly ca: string | undefined;
  readonly serverName: string | undefined;
  /** The certificate that we show; both or none. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** All files, to be watched. */
export function clientTlsPaths({ ca, cert, key }: ClientTlsFiles): string[] {
  return [ca, cert, key].filter((path) => path !== undefined);
}

/**
 * Reads what a client of a backend needs. The backend's certificate is always verified.
 * @throws CertificateError
 */
export function readClientTls(files: ClientTlsFiles, readFile: ReadFile): { tls: ClientTls; validTo: number } {
  const ca = files.ca === undefined ? undefined : readAuthorities(files.ca, readFile);
  const own =
    files.cert === undefined || files.key === undefined
      ? undefined
      : readCertificate({ cert: files.cert, key: files.key }, undefined, readFile);
  try {
    const secureContext = createSecureContext({ ...own?.options, ca, minVersion: 'TLSv1.2' });
    const tls: ClientTls = { secureContext, servername: files.serverName, rejectUnauthorized: true };
    return { tls, validTo: own?.validTo ?? Number.POSITIVE_INFINITY };
  } catch (error) {
    throw new CertificateError(files.ca ?? '', error);
  }
}
