import type { Call, Refusal, Stage, Verdict } from '../chain/call.ts';
import { credentialInvalid, storeUnavailable } from '../chain/refusal.ts';
import type { DocumentStore } from '../store/store.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import type { Snapshot } from '../sync/snapshot.ts';
import { hashKey, isPlausibleKey } from '../tenants/key-text.ts';
import { CachedCredential } from './cached-credential.ts';
import { CredentialCache, type CredentialCacheStats } from './credential-cache.ts';
import { type FoundKey, KeyLookup } from './key-lookup.ts';
import { type Judge, RunningCalls } from './running-calls.ts';

export interface AuthenticationOptions {
  readonly documents: Pick<DocumentStore, 'getByHash'>;
  readonly sync: Pick<ConfigSync, 'onChange'>;
  readonly clock: { now(): number };
  /** Told why the store could not be asked; the caller learns only that. */
  readonly onStoreError: (error: unknown) => void;
  /** Asks for a look at all running calls by this time (Unix milliseconds), to end those that may not go on: `judge` knows. */
  readonly lookBy?: ((at: number) => void) | undefined;
  /** Valid keys that are kept; default 65,536. */
  readonly maxPositives?: number | undefined;
  /** Invalid ones; default 65,536. */
  readonly maxNegatives?: number | undefined;
  /** How long an invalid one is kept, in milliseconds; default 10,000. One that becomes valid is dropped at once. */
  readonly negativeTtlMs?: number | undefined;
  /** Look-ups in the store at once; default 1,024. */
  readonly maxLookups?: number | undefined;
}

/** As often as this a call asks again because the answer was revoked before it could use it. */
const MAX_ROUNDS = 3;

/**
 * The first stage: a credential's text becomes principal, tenant and plan. A header block that repeats has its cache entry in
 * `credential.entry`, so a known caller costs some comparisons; else the text is hashed and looked for in the cache, else in the
 * store. Whatever is wrong with it, the refusal is one and the same.
 */
export class AuthenticationManager implements Stage {
  readonly name = 'authenticate';
  readonly #clock: { now(): number };
  readonly #onStoreError: (error: unknown) => void;
  readonly #negativeTtlMs: number;
  readonly #cache: CredentialCache;
  readonly #lookup: KeyLookup<CachedCredential>;
  readonly #running: RunningCalls;
  readonly #unsubscribe: () => void;

  constructor(options: AuthenticationOptions) {
    const { documents, sync, clock } = options;
    this.#clock = clock;
    this.#onStoreError = options.onStoreError;
    this.#negativeTtlMs = options.negativeTtlMs ?? 10_000;
    this.#cache = new CredentialCache(options.maxPositives ?? 65_536, options.maxNegatives ?? 65_536);
    const remember = (hash: string, key: FoundKey | undefined) => this.#remember(hash, key);
    this.#lookup = new KeyLookup(documents, () => clock.now(), options.maxLookups ?? 1024, remember);
    this.#running = new RunningCalls(() => clock.now(), options.lookBy ?? (() => {}));
    this.#unsubscribe = sync.onChange((change, snapshot) => {
      for (const hash of change.hashes) {
        this.#cache.drop(hash);
        this.#lookup.changed(hash);
      }
      this.#running.changed(change, snapshot);
    });
  }

  get stats(): CredentialCacheStats {
    return this.#cache.stats;
  }

  /** Ends the subscription to changes; nothing may be admitted afterwards. */
  close(): void {
    this.#unsubscribe();
  }

  admit(call: Call): Verdict {
    if (call.method?.policy.public) return undefined;
    const { credential } = call;
    const now = this.#clock.now();
    const memo = credential.entry;
    if (memo instanceof CachedCredential && memo.owner === this && memo.valid && memo.expiresAt > now) {
      this.#cache.touch(memo);
      return this.#identify(call, memo);
    }
    if (!isPlausibleKey(credential.text)) return credentialInvalid();
    const hash = hashKey(credential.text);
    const cached = this.#cache.get(hash, now);
    if (cached === undefined) return this.#ask(call, hash);
    credential.entry = cached;
    return this.#identify(call, cached);
  }

  /** For one look at all running calls: whose credential or tenant has ended. */
  judge(snapshot: Snapshot): Judge {
    return this.#running.judge(snapshot);
  }

  /** The call is whose credential it has, if that is anybody's. */
  #identify(call: Call, entry: CachedCredential): Refusal | undefined {
    const refusal = identify(call, entry);
    if (refusal === undefined && entry.expiresAt !== Number.POSITIVE_INFINITY) this.#running.admit(entry);
    return refusal;
  }

  async #ask(call: Call, hash: string): Promise<Refusal | undefined> {
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const found = this.#lookup.find(hash);
        // So many misses at once are a flood, or a store that hangs: neither gets better by a longer queue.
        if (found === undefined) break;
        const entry = await found;
        // Revoked between the answer and now.
        if (!entry.valid) continue;
        call.credential.entry = entry;
        return this.#identify(call, entry) ?? this.#running.admitLate(call);
      }
    } catch (error) {
      this.#onStoreError(error);
    }
    return storeUnavailable();
  }

  /** Calls that waited for one look-up share one entry. */
  #remember(hash: string, key: FoundKey | undefined): CachedCredential {
    const expiresAt = key?.expiresAt ?? this.#clock.now() + this.#negativeTtlMs;
    const entry = new CachedCredential(hash, this, key?.principal, expiresAt);
    this.#cache.set(entry);
    return entry;
  }
}

/** Tenant and plan are those of the call's snapshot: a suspended or deleted tenant is none from that version on. */
function identify(call: Call, entry: CachedCredential): Refusal | undefined {
  const { principal } = entry;
  if (principal === undefined) return credentialInvalid();
  const { snapshot } = call;
  if (entry.version !== snapshot.version) {
    entry.version = snapshot.version;
    entry.tenant = snapshot.tenants.get(principal.tenantId);
    entry.plan = entry.tenant && snapshot.plans.get(entry.tenant.plan);
  }
  const { tenant, plan } = entry;
  // The store lets no tenant be without its plan; without one there would be no limits.
  if (tenant === undefined || tenant.suspended || plan === undefined) return credentialInvalid();
  call.principal = principal;
  call.tenant = tenant;
  call.plan = plan;
  return undefined;
}
