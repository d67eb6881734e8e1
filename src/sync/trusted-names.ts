import { hash } from 'node:crypto';
import { ClientCertificate, Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { durationToMs } from '../contracts/policy.ts';

// Whom a tenant trusts to say who its callers are, as the data plane reads it: every default filled in.

/** Where keys of an issuer come from. Equal ids: the same keys, fetched once for all who have them. */
export interface KeyPlace {
  readonly id: string;
  readonly kind: 'url' | 'discovery' | 'set';
  /** Of the key set; of the issuer, for discovery; the set itself, as JSON. */
  readonly text: string;
}

/** An issuer of tokens, for one tenant. */
export interface TokenIssuer {
  readonly tenantId: string;
  readonly issuer: string;
  /** In front of the subject in a principal's id. */
  readonly name: string;
  readonly audiences: readonly string[];
  readonly keys: KeyPlace;
  readonly algorithms: ReadonlySet<string>;
  /** As `normalizeType` makes them. */
  readonly types: ReadonlySet<string>;
  readonly typeOptional: boolean;
  /** Undefined: `scope`, or else `scp`. */
  readonly scopesClaim: string | undefined;
  /** Undefined: all but the gateway's own. */
  readonly allowedScopes: ReadonlySet<string> | undefined;
  readonly subjectClaim: string;
  /** Which tokens of the issuer are this tenant's; both empty: all. */
  readonly tenantClaim: string;
  readonly tenantValue: string;
  /** Undefined: no limit. */
  readonly maxTokenAgeMs: number | undefined;
  readonly clockToleranceMs: number;
  /** Equal for equal settings of one tenant, whatever object they are in. */
  readonly fingerprint: string;
}

/** A client certificate that speaks for a tenant. */
export interface CertifiedName {
  readonly tenantId: string;
  /** `URI:spiffe://...` or `DNS:...`: the key of the index. */
  readonly san: string;
  readonly name: string;
  readonly scopes: ReadonlySet<string>;
  readonly fingerprint: string;
}

export const DEFAULT_ALGORITHMS: readonly string[] = ['RS256', 'ES256', 'EdDSA', 'Ed25519'];
const DEFAULT_TYPES: readonly string[] = ['JWT', 'at+jwt'];
const DEFAULT_ALGORITHM_SET: ReadonlySet<string> = new Set(DEFAULT_ALGORITHMS);
const DEFAULT_TYPE_SET: ReadonlySet<string> = new Set(DEFAULT_TYPES.map(normalizeType));
const DEFAULT_TOLERANCE_MS = 10_000;
const MAX_NAME = 128;

export function toTokenIssuer(tenantId: string, message: Issuer): TokenIssuer {
  const { algorithms, types, allowedScopes, tenantClaim } = message;
  return {
    tenantId,
    issuer: message.issuer,
    name: nameOfIssuer(message),
    audiences: message.audiences,
    keys: keyPlaceOf(message),
    algorithms: algorithms.length === 0 ? DEFAULT_ALGORITHM_SET : new Set(algorithms),
    types: types.length === 0 ? DEFAULT_TYPE_SET : new Set(types.map(normalizeType)),
    typeOptional: message.typeOptional,
    scopesClaim: message.scopesClaim || undefined,
    allowedScopes: allowedScopes.length === 0 ? undefined : new Set(allowedScopes),
    subjectClaim: message.subjectClaim || 'sub',
    tenantClaim,
    tenantValue: tenantClaim === '' ? '' : message.tenantValue || tenantId,
    maxTokenAgeMs: message.maxTokenAge && durationToMs(message.maxTokenAge),
    clockToleranceMs:
      message.clockTolerance === undefined ? DEFAULT_TOLERANCE_MS : durationToMs(message.clockTolerance),
    fingerprint: hash('sha256', Issuer.encode(message).finish(), 'base64url'),
  };
}

export function toCertifiedName(tenantId: string, message: ClientCertificate): CertifiedName {
  const { san } = message;
  return {
    tenantId,
    san: san?.$case === 'uri' ? `URI:${san.uri}` : `DNS:${(san?.dns ?? '').toLowerCase()}`,
    name: message.name,
    scopes: new Set(message.scopes),
    fingerprint: hash('sha256', ClientCertificate.encode(message).finish(), 'base64url'),
  };
}

/** The name that stands in front of subjects: the configured one, or the issuer's host, with what is no part of a name replaced. */
export function nameOfIssuer({ issuer, name }: Pick<Issuer, 'issuer' | 'name'>): string {
  if (name !== '') return name;
  const host = URL.parse(issuer)?.host || issuer;
  return host
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .slice(0, MAX_NAME);
}

/** A claim by its name, or by a path of names (`realm_access.roles`) where no claim has the whole name. */
export function claimOf(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let at: unknown = claims;
  for (const part of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = Reflect.get(at, part);
  }
  return at;
}

/** RFC 7515 section 4.1.9: without a slash, `application/` is meant; media types have no case. */
export function normalizeType(type: string): string {
  const lower = type.toLowerCase();
  return lower.includes('/') ? lower : `application/${lower}`;
}

function keyPlaceOf({ issuer, keys }: Issuer): KeyPlace {
  if (keys?.$case === 'jwksUrl') return { id: `url ${keys.jwksUrl}`, kind: 'url', text: keys.jwksUrl };
  if (keys?.$case === 'jwks')
    return { id: `set ${hash('sha256', keys.jwks, 'base64url')}`, kind: 'set', text: keys.jwks };
  return { id: `discovery ${issuer}`, kind: 'discovery', text: issuer };
}
