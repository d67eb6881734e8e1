import { ShardedMap } from './sharded-map.ts';
import type { Tenant } from './snapshot.ts';
import { type CertifiedName, claimOf, type TokenIssuer } from './trusted-names.ts';

/** Another tenant has what this one claims: whose a caller is could not be told. */
export interface IdentityConflict {
  /** Of the tenant's issuers, or of its client certificates. */
  readonly list: 'issuers' | 'client_certificates';
  readonly index: number;
  readonly message: string;
  readonly hint: string;
}

type Holders<T> = readonly T[];

/**
 * Which tenant a token or a client certificate speaks for: found by the token's issuer (and, where several tenants share it,
 * by the value of a claim) or by the certificate's name. Immutable; a change costs what it changes. What two tenants claim
 * is nobody's: changes are checked before (`conflictOf`), and two that were written at the same time refuse each other here.
 */
export class IdentityIndex {
  /** Differs whenever something here has changed. */
  readonly generation: number;
  /** By issuer and value of its tenant claim. */
  readonly #issuers: ShardedMap<Holders<TokenIssuer>>;
  /** By issuer: its tenant claims, with how many tenants have each; an empty one is that of a tenant that has all tokens. */
  readonly #claims: ShardedMap<ReadonlyMap<string, number>>;
  readonly #certificates: ShardedMap<Holders<CertifiedName>>;

  private constructor(
    generation: number,
    issuers: ShardedMap<Holders<TokenIssuer>>,
    claims: ShardedMap<ReadonlyMap<string, number>>,
    certificates: ShardedMap<Holders<CertifiedName>>,
  ) {
    this.generation = generation;
    this.#issuers = issuers;
    this.#claims = claims;
    this.#certificates = certificates;
  }

  static empty(): IdentityIndex {
    return new IdentityIndex(0, ShardedMap.empty(), ShardedMap.empty(), ShardedMap.empty());
  }

  /** Nobody accepts tokens. */
  get hasNoIssuers(): boolean {
    return this.#claims.size === 0;
  }

  /** The issuer of a token, as the one tenant has it whose token it is. @param claims of the token, not verified yet */
  issuerOf(claims: Readonly<Record<string, unknown>>): TokenIssuer | undefined {
    const { iss } = claims;
    if (typeof iss !== 'string') return undefined;
    const tenantClaims = this.#claims.get(iss);
    if (tenantClaims === undefined || tenantClaims.size !== 1) return undefined;
    const [claim = ''] = tenantClaims.keys();
    const value = claim === '' ? '' : claimOf(claims, claim);
    if (typeof value !== 'string') return undefined;
    return onlyOne(this.#issuers.get(keyOf(iss, value)));
  }

  /** Whether a token that was accepted for this issuer would still be. */
  hasIssuer(issuer: TokenIssuer): boolean {
    if (this.#claims.get(issuer.issuer)?.size !== 1) return false;
    const held = onlyOne(this.#issuers.get(keyOf(issuer.issuer, issuer.tenantValue)));
    return held !== undefined && same(held, issuer);
  }

  /** @param san `URI:...` or `DNS:...`, in lower case */
  certificateOf(san: string): CertifiedName | undefined {
    return onlyOne(this.#certificates.get(san));
  }

  /** @param before tenants as they are here; @param after as they are to be */
  change(before: readonly Tenant[], after: readonly Tenant[]): IdentityIndex {
    const issuers = new Draft(this.#issuers);
    const certificates = new Draft(this.#certificates);
    const claims = new Map<string, Map<string, number>>();
    const count = ({ issuer, tenantClaim }: TokenIssuer, by: number) => {
      const own = claims.get(issuer) ?? new Map(this.#claims.get(issuer));
      claims.set(issuer, own);
      const left = (own.get(tenantClaim) ?? 0) + by;
      if (left > 0) own.set(tenantClaim, left);
      else own.delete(tenantClaim);
    };
    const kept = keptOf(before, after);
    for (const tenant of before) {
      if (kept.has(tenant.id)) continue;
      for (const issuer of tenant.issuers ?? []) {
        issuers.remove(keyOf(issuer.issuer, issuer.tenantValue), (held) => same(held, issuer));
        count(issuer, -1);
      }
      for (const name of tenant.certificates ?? []) certificates.remove(name.san, (held) => same(held, name));
    }
    for (const tenant of after) {
      if (kept.has(tenant.id)) continue;
      for (const issuer of tenant.issuers ?? []) {
        issuers.add(keyOf(issuer.issuer, issuer.tenantValue), issuer);
        count(issuer, 1);
      }
      for (const name of tenant.certificates ?? []) certificates.add(name.san, name);
    }
    if (claims.size === 0 && !issuers.changed && !certificates.changed) return this;
    const gone = [...claims].filter(isEmpty).map(([issuer]) => issuer);
    const left = [...claims].filter((entry) => !isEmpty(entry));
    const { generation } = this;
    return new IdentityIndex(generation + 1, issuers.finish(), this.#claims.change(left, gone), certificates.finish());
  }

  /** What of a tenant that is in here is claimed twice; undefined when all of it is its own. */
  conflictOf(tenant: Tenant): IdentityConflict | undefined {
    for (const [index, issuer] of (tenant.issuers ?? []).entries()) {
      const list = 'issuers';
      if (this.#claims.get(issuer.issuer)?.size !== 1) {
        const message = `other tenants have the issuer "${issuer.issuer}" with another tenant_claim, or without one`;
        return { list, index, message, hint: 'give all tenants that have it the same "tenant_claim"' };
      }
      const other = otherThan(issuer, this.#issuers.get(keyOf(issuer.issuer, issuer.tenantValue)));
      if (other === undefined) continue;
      const message = `the issuer "${issuer.issuer}" is that of tenant "${other.tenantId}" too: whose a token is could not be told`;
      const hint =
        issuer.tenantClaim === ''
          ? 'give each a "tenant_claim", and the "tenant_value" that means it'
          : `give each a "tenant_value" of its own, "${issuer.tenantValue}" is taken`;
      return { list, index, message, hint };
    }
    for (const [index, name] of (tenant.certificates ?? []).entries()) {
      const other = otherThan(name, this.#certificates.get(name.san));
      if (other === undefined) continue;
      const message = `the name "${name.san.slice(4)}" is that of "${other.name}" of tenant "${other.tenantId}" too`;
      return { list: 'client_certificates', index, message, hint: 'a name speaks for one tenant, once' };
    }
    return undefined;
  }
}

/** A map of lists while it is changed. */
class Draft<T> {
  readonly #map: ShardedMap<Holders<T>>;
  readonly #changed = new Map<string, Holders<T>>();

  constructor(map: ShardedMap<Holders<T>>) {
    this.#map = map;
  }

  get changed(): boolean {
    return this.#changed.size > 0;
  }

  add(key: string, value: T): void {
    this.#changed.set(key, [...this.#of(key), value]);
  }

  remove(key: string, isIt: (value: T) => boolean): void {
    const held = this.#of(key);
    const index = held.findIndex(isIt);
    if (index >= 0) this.#changed.set(key, held.toSpliced(index, 1));
  }

  finish(): ShardedMap<Holders<T>> {
    const changed = [...this.#changed];
    const gone = changed.filter(([, held]) => held.length === 0).map(([key]) => key);
    return this.#map.change(
      changed.filter(([, held]) => held.length > 0),
      gone,
    );
  }

  #of(key: string): Holders<T> {
    return this.#changed.get(key) ?? this.#map.get(key) ?? [];
  }
}

/** Tenants whose part of the index stays as it is. */
function keptOf(before: readonly Tenant[], after: readonly Tenant[]): ReadonlySet<string> {
  const old = new Map<string, string>();
  for (const tenant of before) old.set(tenant.id, fingerprintOf(tenant));
  const kept = new Set<string>();
  for (const tenant of after) if (old.get(tenant.id) === fingerprintOf(tenant)) kept.add(tenant.id);
  return kept;
}

function fingerprintOf({ issuers = NONE, certificates = NONE }: Tenant): string {
  if (issuers.length === 0 && certificates.length === 0) return '';
  return [...issuers, ...certificates].map(({ fingerprint }) => fingerprint).join(' ');
}

const NONE: readonly never[] = [];

/** No issuer has a NUL in it (`issuer-rules.ts`). */
function keyOf(issuer: string, value: string): string {
  return `${issuer}\0${value}`;
}

function same<T extends { readonly tenantId: string; readonly fingerprint: string }>(a: T, b: T): boolean {
  return a.tenantId === b.tenantId && a.fingerprint === b.fingerprint;
}

function onlyOne<T>(holders: Holders<T> | undefined): T | undefined {
  return holders?.length === 1 ? holders[0] : undefined;
}

/** Who else holds it; of equal ones only one is `own`. */
function otherThan<T extends { readonly tenantId: string; readonly fingerprint: string }>(
  own: T,
  holders: Holders<T> = [],
): T | undefined {
  if (holders.length < 2) return undefined;
  return holders.find((held) => !same(held, own)) ?? own;
}

function isEmpty([, counts]: readonly [string, ReadonlyMap<string, number>]): boolean {
  return counts.size === 0;
}
