import type { Principal } from '../chain/call.ts';
import type { Plan, Tenant } from '../sync/snapshot.ts';
import { LruEntry } from './lru.ts';

/** What authentication knows of one credential, found under its SHA-256. */
export class CachedCredential extends LruEntry {
  /** Whose it is: a credential's memo may come by another gateway of the process. */
  readonly owner: object;
  /** Undefined: there is no such key, or not one that is in force. */
  readonly principal: Principal | undefined;
  /**
   * Unix milliseconds; from then on the store is asked again. A key's own end, or that of a negative's short life. Moved once
   * it has left the cache, for the calls that still run with it.
   */
  expiresAt: number;
  /** False once it has left the cache, evicted or revoked: then whoever still holds it must not use it. */
  valid = true;
  /** The snapshot version that `tenant` and `plan` are of; saves two look-ups a call. Not the snapshot itself: it would be kept alive. */
  version = -1;
  tenant: Tenant | undefined = undefined;
  plan: Plan | undefined = undefined;

  constructor(hash: string, owner: object, principal: Principal | undefined, expiresAt: number) {
    super(hash);
    this.owner = owner;
    this.principal = principal && { ...principal, entry: this };
    this.expiresAt = expiresAt;
  }
}
