import type { SecureContext, SecureContextOptions, TlsOptions } from 'node:tls';
import { type LoadedCertificate, type ReadFile, readCertificate } from './read-certificate.ts';

/** Paths of PEM files, and who must show a certificate. */
export interface ServerTlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly certificates: readonly {
    readonly cert: string;
    readonly key: string;
    /** Lower case; `*.` stands for one label. Empty: the names of the certificate. */
    readonly serverNames: readonly string[];
  }[];
  readonly clientCa: string | undefined;
  readonly clientAuth: 'required' | 'optional' | 'none';
}

/** What one reading of the files gave. */
interface Loaded {
  readonly main: LoadedCertificate;
  readonly byName: ReadonlyMap<string, SecureContext>;
  readonly validTo: number;
}

/** The certificates of one listener. Read whole, and replaced whole: a file that is broken changes nothing. */
export class ServerCertificates {
  readonly #files: ServerTlsFiles;
  readonly #readFile: ReadFile;
  #loaded: Loaded;

  /** @throws CertificateError */
  constructor(files: ServerTlsFiles, readFile: ReadFile) {
    this.#files = files;
    this.#readFile = readFile;
    this.#loaded = load(files, readFile);
  }

  /** All files, to be watched. */
  get paths(): readonly string[] {
    const { cert, key, certificates, clientCa } = this.#files;
    const more = certificates.flatMap((one) => [one.cert, one.key]);
    return [cert, key, ...more, ...(clientCa === undefined ? [] : [clientCa])];
  }

  /** Unix milliseconds, when the first of them ends. */
  get validTo(): number {
    return this.#loaded.validTo;
  }

  /** For `tls.createServer`; the choice by name follows every reload. */
  get serverOptions(): TlsOptions {
    const { clientAuth } = this.#files;
    return {
      ...this.#loaded.main.options,
      requestCert: clientAuth !== 'none',
      rejectUnauthorized: clientAuth === 'required',
      SNICallback: (name, answer) => answer(null, this.#pick(name)),
    };
  }

  /** Reads the files anew. @returns what the server needs for names that no certificate has @throws CertificateError */
  reload(): SecureContextOptions {
    this.#loaded = load(this.#files, this.#readFile);
    return this.#loaded.main.options;
  }

  /** Exact names before wildcards; a wildcard is for one label (RFC 9525 section 6.3). */
  #pick(asked: string): SecureContext {
    const name = asked.toLowerCase().replace(/\.$/, '');
    const { byName, main } = this.#loaded;
    return byName.get(name) ?? byName.get(name.replace(/^[^.]+/, '*')) ?? main.context;
  }
}

function load(files: ServerTlsFiles, readFile: ReadFile): Loaded {
  const main = readCertificate(files, files.clientCa, readFile);
  const byName = new Map<string, SecureContext>();
  let { validTo } = main;
  for (const { serverNames, ...pair } of files.certificates) {
    const loaded = readCertificate(pair, files.clientCa, readFile);
    const names = serverNames.length > 0 ? serverNames : loaded.names;
    // The first that has a name keeps it.
    for (const name of names) if (!byName.has(name)) byName.set(name, loaded.context);
    validTo = Math.min(validTo, loaded.validTo);
  }
  return { main, byName, validTo };
}
