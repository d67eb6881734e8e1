import type { Call, Refusal } from '../chain/call.ts';
import { credentialExpired, credentialInvalid, credentialRevoked, tenantSuspended } from '../chain/refusal.ts';
import type { Change } from '../store/store.ts';
import type { Snapshot } from '../sync/snapshot.ts';
import { CachedCredential } from './cached-credential.ts';
import { endOfKey } from './key-lookup.ts';

/** Whether a call that runs may go on; a refusal ends it. */
export type Judge = (call: Call) => Refusal | undefined;

/** What ended, or moved its end, since the last look. */
interface Changes {
  /** When keys end, by hash: Unix milliseconds, REVOKED when they have. */
  readonly keys: Map<string, number>;
  /** Tenants that were suspended or deleted. */
  readonly tenants: Set<string>;
}

const REVOKED = Number.NEGATIVE_INFINITY;

/**
 * What becomes of calls whose credential, or tenant, ends while they run. Nothing is registered per call: what was changed is
 * kept until somebody looks at all running calls, which is asked for when there is a reason to (`lookBy`).
 */
export class RunningCalls {
  readonly #now: () => number;
  readonly #lookBy: (at: number) => void;
  #changes: Changes = { keys: new Map(), tenants: new Set() };
  /** Undefined until the first change. */
  #latest: Snapshot | undefined = undefined;

  /**
   * @param now Unix milliseconds
   * @param lookBy asks for a look at all running calls by this time, Unix milliseconds
   */
  constructor(now: () => number, lookBy: (at: number) => void) {
    this.#now = now;
    this.#lookBy = lookBy;
  }

  /** A call is about to be admitted with a credential that ends some day. */
  admit(entry: CachedCredential): void {
    this.#lookBy(entry.endsAt);
  }

  /**
   * A call was admitted by a snapshot that it got before it had to wait: a look in between has not seen it.
   * @returns a refusal when its tenant, or the trust in its issuer, has ended meanwhile
   */
  admitLate({ principal, snapshot }: Call): Refusal | undefined {
    const latest = this.#latest;
    if (principal === undefined || latest === undefined || latest.version <= snapshot.version) return undefined;
    const { entry } = principal;
    const holds = !(entry instanceof CachedCredential) || (entry.basis?.(latest) ?? true);
    return holds && latest.tenants.get(principal.tenantId)?.suspended === false ? undefined : credentialInvalid();
  }

  changed(change: Change, snapshot: Snapshot): void {
    const before = this.#latest?.identities.generation ?? 0;
    this.#latest = snapshot;
    if (snapshot.identities.generation !== before) this.#lookBy(this.#now());
    const { keys, tenants } = this.#changes;
    const ended = tenants.size;
    for (const hash of change.hashes) keys.set(hash, REVOKED);
    for (const { kind, id } of change.deleted) if (kind === 'tenant') tenants.add(id);
    for (const document of change.documents) {
      if (document.kind === 'tenant' && snapshot.tenants.get(document.id)?.suspended === true) tenants.add(document.id);
      else if (document.hash !== undefined) keys.set(document.hash, endOfKey(document) ?? REVOKED);
    }
    if (change.hashes.length > 0 || tenants.size > ended) this.#lookBy(this.#now());
  }

  /** For one look at all running calls: it knows what has changed since the last one. */
  judge(snapshot: Snapshot): Judge {
    const { keys, tenants } = this.#changes;
    this.#changes = { keys: new Map(), tenants: new Set() };
    const now = this.#now();
    return ({ principal }) => {
      const entry = principal?.entry;
      if (principal === undefined || !(entry instanceof CachedCredential)) return undefined;
      if (tenants.has(principal.tenantId) && snapshot.tenants.get(principal.tenantId)?.suspended === true) {
        return tenantSuspended();
      }
      entry.endsAt = keys.get(entry.key) ?? entry.endsAt;
      if (entry.basis?.(snapshot) === false) return credentialRevoked();
      if (entry.endsAt > now) {
        this.#lookBy(entry.endsAt);
        return isGone(tenants, snapshot, principal.tenantId) ? credentialRevoked() : undefined;
      }
      return entry.endsAt === REVOKED ? credentialRevoked() : credentialExpired();
    };
  }
}

function isGone(tenants: ReadonlySet<string>, snapshot: Snapshot, id: string): boolean {
  return tenants.has(id) && snapshot.tenants.get(id) === undefined;
}
