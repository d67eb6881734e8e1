import type { PeerIdentity, Principal } from '../chain/call.ts';
import type { IdentityIndex } from '../sync/identity-index.ts';
import type { Snapshot } from '../sync/snapshot.ts';
import type { CertifiedName } from '../sync/trusted-names.ts';
import { CachedCredential } from './cached-credential.ts';

/** Whom a certificate speaks for, as it was when the index had this generation. */
interface Memo {
  readonly generation: number;
  readonly certified: CertifiedName | undefined;
  readonly entry: CachedCredential | typeof AMBIGUOUS | undefined;
}

/** A certificate that has names of several callers speaks for none of them. */
export const AMBIGUOUS: unique symbol = Symbol('ambiguous');

/**
 * Whom client certificates speak for: looked up once for each connection, and again when what tenants say of certificates
 * has changed.
 */
export class ClientCertificates {
  readonly #memos = new WeakMap<PeerIdentity, Memo>();

  /** @returns undefined when the certificate is nobody's here: then it says that its holder may connect, no more */
  of(peer: PeerIdentity, { identities }: Snapshot): CachedCredential | typeof AMBIGUOUS | undefined {
    const known = this.#memos.get(peer);
    if (known?.generation === identities.generation) return known.entry;
    const [certified, another] = namesOf(peer, identities);
    const entry = another === undefined ? this.#entryOf(peer, known, certified) : AMBIGUOUS;
    this.#memos.set(peer, { generation: identities.generation, certified, entry });
    return entry;
  }

  /** The same one as before for the same name: encoders know what is forwarded for it. */
  #entryOf(peer: PeerIdentity, known: Memo | undefined, certified: CertifiedName | undefined) {
    if (certified === undefined) return undefined;
    if (known?.entry instanceof CachedCredential && known.certified?.fingerprint === certified.fingerprint) {
      if (known.certified.tenantId === certified.tenantId) return known.entry;
    }
    return new CachedCredential({
      hash: peer.fingerprint,
      owner: this,
      principal: principalOf(certified),
      expiresAt: peer.expiresAt,
      endsAt: peer.expiresAt,
      basis: (snapshot) => snapshot.identities.certificateOf(certified.san)?.fingerprint === certified.fingerprint,
    });
  }
}

function namesOf({ uris, dnsNames }: PeerIdentity, identities: IdentityIndex): readonly CertifiedName[] {
  const found = new Set<CertifiedName>();
  for (const san of [...uris.map((uri) => `URI:${uri}`), ...dnsNames.map((name) => `DNS:${name}`)]) {
    const certified = identities.certificateOf(san);
    if (certified !== undefined) found.add(certified);
  }
  return [...found];
}

function principalOf({ name, tenantId, scopes }: CertifiedName): Principal {
  return { id: `x509:${name}`, tenantId, scopes };
}
