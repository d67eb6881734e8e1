import type { Principal } from '../chain/call.ts';
import type { Plan, Snapshot, Tenant } from '../sync/snapshot.ts';
import type { KeyFetch } from './jwt/key-source.ts';
import { LruEntry } from './lru.ts';

export interface CredentialFacts {
  /** SHA-256 of its text; of a certificate, what tells it from others. */
  readonly hash: string;
  /** Whose cache it is in. */
  readonly owner: object;
  /** Undefined: it is nobody's. */
  readonly principal: Principal | undefined;
  /** Unix milliseconds; from then on it is looked up anew. A credential's own end or an earlier one, and a negative's short life. */
  readonly expiresAt: number;
  /** Unix milliseconds, the credential's own end; `expiresAt` when absent. */
  readonly endsAt?: number | undefined;
  /** Whether what it rests upon, beside what the store has under its hash, is still so. */
  readonly basis?: ((snapshot: Snapshot) => boolean) | undefined;
  /** How much of a guess it is, where it is nobody's: counted once. */
  readonly guess?: number | undefined;
}

/** What authentication knows of one credential, found under its SHA-256. */
export class CachedCredential extends LruEntry {
  /** A credential's memo may come by another gateway of the process. */
  readonly owner: object;
  /** Undefined: there is no such key, or not one that is in force. */
  readonly principal: Principal | undefined;
  readonly expiresAt: number;
  /** The credential's own end. Moved once it has left the cache, for the calls that still run with it. */
  endsAt: number;
  readonly basis: ((snapshot: Snapshot) => boolean) | undefined;
  guess: number;
  /** The fetch of keys that its verification waited for, and with it all who asked for it meanwhile. */
  fetch: KeyFetch | undefined = undefined;
  /** False once it has left the cache, evicted or revoked: then whoever still holds it must not use it. */
  valid = true;
  /** The snapshot version that `tenant` and `plan` are of; saves two look-ups a call. Not the snapshot itself: it would be kept alive. */
  version = -1;
  tenant: Tenant | undefined = undefined;
  plan: Plan | undefined = undefined;

  /** Unix milliseconds, when the use of the key was last told to be noted; infinite: it is no key whose use is noted. */
  notedAt = Number.POSITIVE_INFINITY;

  constructor(facts: CredentialFacts) {
    super(facts.hash);
    this.owner = facts.owner;
    this.principal = facts.principal && { ...facts.principal, entry: this };
    this.expiresAt = facts.expiresAt;
    this.endsAt = facts.endsAt ?? facts.expiresAt;
    this.basis = facts.basis;
    this.guess = facts.guess ?? 0;
  }

  /** Whether what is known of it holds for a call with this snapshot. */
  holdsIn(snapshot: Snapshot): boolean {
    return this.basis === undefined || this.version === snapshot.version || this.basis(snapshot);
  }
}
