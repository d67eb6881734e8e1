import type { Principal } from '../../chain/call.ts';
import { claimOf, type TokenIssuer } from '../../sync/trusted-names.ts';
import { OWN_SCOPES, SCOPE } from '../../tenants/scope.ts';

type Claims = Readonly<Record<string, unknown>>;

/** OpenID Connect Core 1.0, section 2: a subject has at most so many characters. */
const MAX_SUBJECT = 255;
/** What may stand in `x-principal-id` as it is. `%` stands for others, and a comma would end a value where headers are joined. */
const UNSAFE = /[^!#$&'()*+\-./0-9:;=?@A-Z[\]^_`a-z{|}~]/gu;

/**
 * Whom a verified token speaks for. Two subjects never have the same id.
 * @returns undefined when it does not say
 */
export function principalOfToken(issuer: TokenIssuer, claims: Claims): Principal | undefined {
  const subject = claimOf(claims, issuer.subjectClaim);
  if (typeof subject !== 'string' || subject === '' || subject.length > MAX_SUBJECT || !subject.isWellFormed()) {
    return undefined;
  }
  return {
    id: `${issuer.name}:${subject.replaceAll(UNSAFE, percentEncoded)}`,
    tenantId: issuer.tenantId,
    scopes: scopesOfToken(issuer, claims),
  };
}

/** RFC 8693 section 4.2 has scopes in one text with blanks between them; many issuers have a list. */
function scopesOfToken(issuer: TokenIssuer, claims: Claims): ReadonlySet<string> {
  const { scopesClaim, allowedScopes } = issuer;
  const value = scopesClaim === undefined ? (claims.scope ?? claims.scp) : claimOf(claims, scopesClaim);
  const given: unknown[] = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
  const scopes = new Set<string>();
  for (const scope of given) {
    if (typeof scope !== 'string' || !SCOPE.test(scope)) continue;
    const allowed = allowedScopes === undefined ? !scope.startsWith(OWN_SCOPES) : allowedScopes.has(scope);
    if (allowed) scopes.add(scope);
  }
  return scopes;
}

function percentEncoded(character: string): string {
  return [...Buffer.from(character)].map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}
