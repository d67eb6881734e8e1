import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { parseSubjectAltName } from '../http2/index.ts';

/** Reads a file whole. @throws the system's error */
export type ReadFile = (path: string) => Buffer;

/** A certificate that cannot be used: says which file, and why. */
export class CertificateError extends Error {
  constructor(path: string, cause: unknown) {
    super(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'CertificateError';
  }
}

/** A certificate with its key, good to answer with. */
export interface LoadedCertificate {
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
  /** Names that stand in the certificate, lower case. */
  readonly names: readonly string[];
  /** Unix milliseconds. */
  readonly validTo: number;
}

/**
 * Reads a certificate (the first of the file; others are its chain) and its key.
 * @param ca path of the authorities that client certificates are held against
 * @throws CertificateError when a file cannot be read, is no PEM, or the two do not belong together
 */
export function readCertificate(
  files: { readonly cert: string; readonly key: string },
  ca: string | undefined,
  readFile: ReadFile,
): LoadedCertificate {
  const cert = read(files.cert, readFile);
  const key = read(files.key, readFile);
  const options: SecureContextOptions = {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca: readAuthorities(ca, readFile) }),
  };
  try {
    const certificate = new X509Certificate(cert);
    const names = parseSubjectAltName(certificate.subjectAltName ?? '').filter(([kind]) => kind === 'DNS');
    return {
      options,
      context: createSecureContext(options),
      names: names.map(([, name]) => name.toLowerCase()),
      validTo: Date.parse(certificate.validTo),
    };
  } catch (error) {
    throw new CertificateError(`${files.cert} with ${files.key}`, error);
  }
}

/** Authorities of a PEM file. @throws CertificateError; of a file without a certificate, too: nobody would be trusted */
export function readAuthorities(path: string, readFile: ReadFile): Buffer {
  const text = read(path, readFile);
  try {
    new X509Certificate(text);
  } catch (error) {
    throw new CertificateError(path, error);
  }
  return text;
}

function read(path: string, readFile: ReadFile): Buffer {
  try {
    return readFile(path);
  } catch (error) {
    throw new CertificateError(path, error);
  }
}
