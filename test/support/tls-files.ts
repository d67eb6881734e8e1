import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A certificate of `test/support/tls`, and its key. */
export interface TlsPair {
  /** Paths. */
  readonly cert: string;
  readonly key: string;
  /** Contents. */
  readonly pem: { readonly cert: Buffer; readonly key: Buffer };
}

function path(name: string): string {
  return fileURLToPath(new URL(`./tls/${name}`, import.meta.url));
}

function pair(name: string): TlsPair {
  const [cert, key] = [path(`${name}.crt`), path(`${name}.key`)];
  return { cert, key, pem: { cert: readFileSync(cert), key: readFileSync(key) } };
}

/** The authority that tests trust, a PEM file and its text; `stranger` is of another one. The common name is the name here. */
export const AUTHORITY = path('authority.crt');
export const AUTHORITY_PEM: Buffer = readFileSync(AUTHORITY);
export const PAIRS = {
  gateway: pair('gateway'),
  renewed: pair('renewed'),
  shop: pair('shop'),
  client: pair('client'),
  stranger: pair('stranger'),
} as const;
