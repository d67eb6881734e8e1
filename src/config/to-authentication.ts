import { readFileSync } from 'node:fs';
import type { ClientCertificate, Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import type { Authentication } from '../../generated/tollgate/config/v1/config.ts';
import { durationToMs } from '../contracts/policy.ts';

/** How credentials are checked. */
export interface AuthenticationSettings {
  /** Octets. */
  readonly maxTokenLength: number;
  /** How long a token that was found valid is not checked again. */
  readonly tokenCacheMs: number;
  readonly jwksRefreshMs: number;
  readonly jwksMaxAgeMs: number;
  /** Hosts whose key sets may come over http, beside this machine. */
  readonly httpHosts: ReadonlySet<string>;
  /** Path of a PEM file. */
  readonly ca: string | undefined;
  readonly failures: {
    readonly burst: number;
    /** A second. */
    readonly rate: number;
    /** Networks. */
    readonly exempt: readonly string[];
  };
}

const DEFAULT_MAX_TOKEN = 8192;
const DEFAULT_TOKEN_CACHE_MS = 300_000;
const DEFAULT_REFRESH_MS = 300_000;
const DEFAULT_MAX_AGE_MS = 12 * 3_600_000;
const DEFAULT_BURST = 100;
const DEFAULT_RATE = 10;

export function toAuthentication(
  message: Authentication | undefined,
  file: (path: string) => string,
): AuthenticationSettings {
  const { failures } = message ?? {};
  return {
    maxTokenLength: message?.maxTokenOctets ?? DEFAULT_MAX_TOKEN,
    tokenCacheMs: message?.tokenCache === undefined ? DEFAULT_TOKEN_CACHE_MS : durationToMs(message.tokenCache),
    jwksRefreshMs: jwksRefreshMs(message),
    jwksMaxAgeMs: jwksMaxAgeMs(message),
    httpHosts: new Set(message?.httpHosts.map((host) => host.toLowerCase())),
    ca: message === undefined || message.ca === '' ? undefined : file(message.ca),
    failures: {
      burst: failures?.burst ?? DEFAULT_BURST,
      rate: failures?.rate ?? DEFAULT_RATE,
      exempt: failures?.exempt ?? [],
    },
  };
}

export function jwksRefreshMs(message: Authentication | undefined): number {
  return message?.jwksRefresh === undefined ? DEFAULT_REFRESH_MS : durationToMs(message.jwksRefresh);
}

export function jwksMaxAgeMs(message: Authentication | undefined): number {
  return message?.jwksMaxAge === undefined ? DEFAULT_MAX_AGE_MS : durationToMs(message.jwksMaxAge);
}

/** What the file says of whom a tenant trusts, with the content of the files that it names. @throws the system's errors */
export function toIdentities(
  tenant: { readonly issuers: readonly Issuer[]; readonly clientCertificates: readonly ClientCertificate[] },
  file: (path: string) => string,
): { readonly issuers: readonly Issuer[]; readonly certificates: readonly ClientCertificate[] } {
  const issuers = tenant.issuers.map((issuer): Issuer => {
    if (issuer.keys?.$case !== 'jwksFile') return issuer;
    return { ...issuer, keys: { $case: 'jwks', jwks: readFileSync(file(issuer.keys.jwksFile), 'utf8') } };
  });
  return { issuers, certificates: tenant.clientCertificates };
}
