import { type Call, NO_CREDENTIAL, noteWait, type Refusal, type Stage, type Verdict } from '../chain/call.ts';
import { credentialInvalid, credentialUnverified, storeUnavailable } from '../chain/refusal.ts';
import { type DocumentStore, KEY_USE_STEP_MS } from '../store/store.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import { effectivePlan } from '../sync/effective-plan.ts';
import type { IdentityIndex } from '../sync/identity-index.ts';
import type { Snapshot } from '../sync/snapshot.ts';
import { hashKey, isPlausibleKey } from '../tenants/key-text.ts';
import { isTokenShaped } from '../tenants/token-shape.ts';
import { CachedCredential } from './cached-credential.ts';
import { AMBIGUOUS, ClientCertificates } from './client-certificates.ts';
import { CredentialCache, type CredentialCacheStats } from './credential-cache.ts';
import { EvenAnswer } from './even-answer.ts';
import type { FailedCredentials } from './failed-credentials.ts';
import { type KeyFetch, KeysUnavailable } from './jwt/key-source.ts';
import type { TokenVerdict, TokenVerifier } from './jwt/token-verifier.ts';
import { type FoundKey, KeyLookup } from './key-lookup.ts';
import type { KeyUses } from './key-uses.ts';
import { type Judge, RunningCalls } from './running-calls.ts';
import { TokenLookup } from './token-lookup.ts';

export interface AuthenticationOptions {
  readonly documents: Pick<DocumentStore, 'getByHash'>;
  readonly sync: Pick<ConfigSync, 'onChange'>;
  readonly clock: { now(): number; readonly monotonic?: () => number };
  /** Told why the store could not be asked; the caller learns only that. */
  readonly onStoreError: (error: unknown) => void;
  /** Asks for a look at all running calls by this time (Unix milliseconds), to end those that may not go on: `judge` knows. */
  readonly lookBy?: ((at: number) => void) | undefined;
  /** Told of each key that is used, once a minute. */
  readonly uses?: Pick<KeyUses, 'used'> | undefined;
  /** Valid keys that are kept; default 65,536. */
  readonly maxPositives?: number | undefined;
  /** Invalid ones; default 65,536. */
  readonly maxNegatives?: number | undefined;
  /** How long an invalid one is kept, in milliseconds; default 10,000. One that becomes valid is dropped at once. */
  readonly negativeTtlMs?: number | undefined;
  /** Look-ups in the store at once, and tokens that are being verified; default 1,024 each. */
  readonly maxLookups?: number | undefined;
  /** Without it tokens are nobody's. */
  readonly verifier?: Pick<TokenVerifier, 'verify'> | undefined;
  /** Longer credentials are refused unread, in characters; default 8,192. */
  readonly maxLength?: number | undefined;
  /** How long a valid token is not verified again, in milliseconds; default 300,000. */
  readonly tokenCacheMs?: number | undefined;
  /**
   * When a credential that was looked up is refused, in milliseconds from the question, so that nobody can tell by the time
   * what was found; what cannot be found then costs as much as what can. Default 0, at once.
   */
  readonly refuseAfterMs?: number | undefined;
  /** Who may try no more. */
  readonly failures?: Pick<FailedCredentials, 'mayTry' | 'failed' | 'stats'> | undefined;
}

/** What authentication counted since the start, and holds now; for metrics. */
export interface AuthenticationStats extends CredentialCacheStats {
  /** Credentials that were checked and found wrong. */
  readonly failures: number;
  /** Credentials that were refused unchecked, because their source had tried too many wrong ones. */
  readonly refused: number;
  /** Sources of wrong credentials that are remembered. */
  readonly sources: number;
}

/** A token that is merely old is no guess: all clients behind one address come with such. */
const GUESS_OF_EXPIRED = 0.1;
/** As often as this a call asks again because the answer was revoked before it could use it. */
const MAX_ROUNDS = 3;

/**
 * The first stage: a credential's text becomes principal, tenant and plan. A header block that repeats has its cache entry in
 * `credential.entry`, so a known caller costs some comparisons; else the text is hashed and looked for in the cache, else in the
 * store, or verified if it is a token. Where no header says who calls, the client's certificate may. Whatever is wrong, the
 * refusal is one and the same.
 */
export class AuthenticationManager implements Stage {
  readonly name = 'authenticate';
  readonly #clock: { now(): number };
  readonly #onStoreError: (error: unknown) => void;
  readonly #negativeTtlMs: number;
  readonly #cache: CredentialCache;
  readonly #lookup: KeyLookup<CachedCredential>;
  readonly #tokens: TokenLookup<CachedCredential>;
  readonly #certificates = new ClientCertificates();
  readonly #failures: Pick<FailedCredentials, 'mayTry' | 'failed' | 'stats'>;
  readonly #maxLength: number;
  readonly #tokenCacheMs: number;
  readonly #refuseAfterMs: number;
  readonly #running: RunningCalls;
  readonly #monotonic: () => number;
  readonly #uses: Pick<KeyUses, 'used'> | undefined;
  readonly #unsubscribe: () => void;

  constructor(options: AuthenticationOptions) {
    const { documents, sync, clock } = options;
    this.#clock = clock;
    this.#monotonic = clock.monotonic ?? (() => performance.now());
    this.#onStoreError = options.onStoreError;
    this.#negativeTtlMs = options.negativeTtlMs ?? 10_000;
    this.#cache = new CredentialCache(options.maxPositives ?? 65_536, options.maxNegatives ?? 65_536);
    const remember = (hash: string, key: FoundKey | undefined) => this.#remember(hash, key);
    const { maxLookups = 1024, verifier = NO_TOKENS } = options;
    this.#refuseAfterMs = options.refuseAfterMs ?? 0;
    this.#lookup = new KeyLookup(documents, () => clock.now(), maxLookups, remember, this.#refuseAfterMs > 0);
    this.#tokens = new TokenLookup(verifier, maxLookups, (...verdict) => this.#rememberToken(...verdict));
    this.#failures = options.failures ?? NEVER_SLOWED;
    this.#maxLength = options.maxLength ?? 8192;
    this.#tokenCacheMs = options.tokenCacheMs ?? 300_000;
    this.#uses = options.uses;
    this.#running = new RunningCalls(() => clock.now(), options.lookBy ?? (() => {}));
    this.#unsubscribe = sync.onChange((change, snapshot) => {
      for (const hash of change.hashes) {
        this.#cache.drop(hash);
        this.#lookup.changed(hash);
      }
      this.#running.changed(change, snapshot);
    });
  }

  get stats(): AuthenticationStats {
    return { ...this.#cache.stats, ...this.#failures.stats };
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
      if (memo.holdsIn(call.snapshot)) {
        this.#cache.touch(memo);
        return this.#identify(call, memo, now);
      }
      this.#cache.drop(memo.key);
    }
    if (credential === NO_CREDENTIAL) return this.#admitCertificate(call, now);
    const { text } = credential;
    if (text === '' || text.length > this.#maxLength) return credentialInvalid();
    const hash = hashOf(text);
    const cached = this.#cache.get(hash, now);
    if (cached?.holdsIn(call.snapshot) === true) {
      credential.entry = cached;
      return this.#identify(call, cached, now);
    }
    return this.#failures.mayTry(call) ? this.#ask(call, hash) : credentialInvalid();
  }

  #admitCertificate(call: Call, now: number): Refusal | undefined {
    const { peerIdentity } = call;
    const entry = peerIdentity && this.#certificates.of(peerIdentity, call.snapshot);
    if (entry === undefined || entry === AMBIGUOUS || entry.expiresAt <= now) return credentialInvalid();
    const refusal = identify(call, entry);
    if (refusal === undefined) this.#running.admit(entry);
    return refusal;
  }

  /** For one look at all running calls: whose credential or tenant has ended. */
  judge(snapshot: Snapshot): Judge {
    return this.#running.judge(snapshot);
  }

  /** The call is whose credential it has, if that is anybody's, and if its certificate does not say another one. */
  #identify(call: Call, entry: CachedCredential, now: number): Refusal | undefined {
    const { peerIdentity } = call;
    if (peerIdentity !== undefined && this.#certificates.of(peerIdentity, call.snapshot) !== undefined) {
      return credentialInvalid();
    }
    const refusal = identify(call, entry);
    if (refusal !== undefined) return refusal;
    if (entry.endsAt !== Number.POSITIVE_INFINITY) this.#running.admit(entry);
    if (now - entry.notedAt >= KEY_USE_STEP_MS) {
      entry.notedAt = now;
      this.#uses?.used(entry.principal?.id ?? '', now);
    }
    return undefined;
  }

  /** As `admit`, of a key that is known by its hash instead of its text: to say what becomes of its calls. */
  admitHash(call: Call, hash: string): Verdict {
    const cached = this.#cache.get(hash, this.#clock.now());
    return cached === undefined ? this.#ask(call, hash) : identify(call, cached);
  }

  /** A call with a credential of which nothing is known. */
  async #ask(call: Call, hash: string): Promise<Refusal | undefined> {
    const answer = new EvenAnswer(this.#refuseAfterMs);
    try {
      const refusal = await this.#lookUp(call, hash);
      if (refusal === credentialInvalid()) await answer.due();
      return refusal;
    } finally {
      answer.end();
    }
  }

  async #lookUp(call: Call, hash: string): Promise<Refusal | undefined> {
    const begun = this.#monotonic();
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const found = this.#find(call, hash);
        // So many misses at once are a flood, or a store that hangs: neither gets better by a longer queue.
        if (found === undefined) break;
        const entry = await found;
        this.#noteFetch(call, entry.fetch, begun);
        // Revoked between the answer and now.
        if (!entry.valid || !entry.holdsIn(call.snapshot)) continue;
        if (entry.guess > 0) {
          // Of all calls that waited for it, it is the guess of one.
          this.#failures.failed(call, entry.guess);
          entry.guess = 0;
        }
        call.credential.entry = entry;
        return this.#identify(call, entry, this.#clock.now()) ?? this.#running.admitLate(call);
      }
    } catch (error) {
      if (error instanceof KeysUnavailable) {
        this.#noteFetch(call, error.fetch, begun);
        return credentialUnverified();
      }
      this.#onStoreError(error);
    }
    return isTokenShaped(call.credential.text) ? credentialUnverified() : storeUnavailable();
  }

  /** A call that came while keys were being fetched has waited for the rest of that. @param begun when it began to wait */
  #noteFetch(call: Call, fetch: KeyFetch | undefined, begun: number): void {
    if (fetch === undefined || fetch.endedAt < begun) return;
    noteWait(call, { ...fetch, name: 'key_set', within: this.name, startedAt: Math.max(begun, fetch.startedAt) });
  }

  #find({ credential, snapshot }: Call, hash: string): Promise<CachedCredential> | undefined {
    if (!isTokenShaped(credential.text)) return this.#lookup.find(hash);
    return this.#tokens.find(hash, credential.text, snapshot.identities);
  }

  /** Calls that waited for one look-up share one entry. */
  #remember(hash: string, key: FoundKey | undefined): CachedCredential {
    const expiresAt = key?.expiresAt ?? this.#clock.now() + this.#negativeTtlMs;
    const entry = new CachedCredential({ hash, owner: this, principal: key?.principal, expiresAt, guess: key ? 0 : 1 });
    if (key !== undefined) entry.notedAt = 0;
    this.#cache.set(entry);
    return entry;
  }

  #rememberToken(hash: string, verdict: TokenVerdict, { generation }: IdentityIndex): CachedCredential {
    const now = this.#clock.now();
    const entry = verdict.valid
      ? new CachedCredential({
          hash,
          owner: this,
          principal: verdict.principal,
          expiresAt: Math.min(verdict.expiresAt, now + this.#tokenCacheMs),
          endsAt: verdict.expiresAt,
          basis: ({ identities }) => identities.hasIssuer(verdict.issuer),
        })
      : new CachedCredential({
          hash,
          owner: this,
          principal: undefined,
          expiresAt: now + this.#negativeTtlMs,
          basis: ({ identities }) => identities.generation === generation,
          guess: verdict.expired ? GUESS_OF_EXPIRED : 1,
        });
    entry.fetch = verdict.fetch;
    this.#cache.set(entry);
    return entry;
  }
}

const NO_TOKENS: Pick<TokenVerifier, 'verify'> = { verify: async () => ({ valid: false, expired: false }) };
const NEVER_SLOWED: Pick<FailedCredentials, 'mayTry' | 'failed' | 'stats'> = {
  mayTry: () => true,
  failed: () => {},
  stats: { failures: 0, refused: 0, sources: 0 },
};

/**
 * What a credential is found under. A text that can be nothing is looked for all the same, in vain: that it takes as long as
 * for an unknown key tells a stranger nothing, and not to look would save only what any flood of well-formed keys costs.
 * No key begins with NUL.
 */
function hashOf(text: string): string {
  return hashKey(isPlausibleKey(text) ? text : `\0${text}`);
}

/** Tenant and plan are those of the call's snapshot: a suspended or deleted tenant is none from that version on. */
function identify(call: Call, entry: CachedCredential): Refusal | undefined {
  const { principal } = entry;
  if (principal === undefined) return credentialInvalid();
  const { snapshot } = call;
  if (entry.version !== snapshot.version) {
    entry.version = snapshot.version;
    entry.tenant = snapshot.tenants.get(principal.tenantId);
    entry.plan = entry.tenant && effectivePlan(snapshot, entry.tenant);
  }
  const { tenant, plan } = entry;
  // The store lets no tenant be without its plan; without one there would be no limits.
  if (tenant === undefined || tenant.suspended || plan === undefined) return credentialInvalid();
  call.principal = principal;
  call.tenant = tenant;
  call.plan = plan;
  return undefined;
}
