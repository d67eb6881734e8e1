import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWSHeaderParameters,
  type JWTVerifyGetKey,
} from 'jose';
import type { KeyPlace } from '../../sync/trusted-names.ts';

export interface KeySourceOptions {
  readonly place: KeyPlace;
  /** Fetches the set's text. */
  readonly fetch: (place: KeyPlace, signal: AbortSignal) => Promise<string>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Older than this, the set is fetched anew at its next use; the old one holds meanwhile. */
  readonly refreshMs: number;
  /** Older than this it is not used. */
  readonly maxAgeMs: number;
  /** Told of each fetch that failed. */
  readonly onFailure: (place: KeyPlace, error: unknown) => void;
}

/** A fetch that is over. Monotonic milliseconds. */
export interface KeyFetch {
  readonly startedAt: number;
  readonly endedAt: number;
  /** What the place is called. */
  readonly of: string;
  readonly failed: boolean;
}

/** The keys of an issuer cannot be had: nothing can be said of its tokens. */
export class KeysUnavailable extends Error {
  /** The fetch that failed, if that is why. */
  fetch: KeyFetch | undefined = undefined;

  constructor(cause?: unknown) {
    super('the keys of the issuer cannot be had', { cause });
    this.name = 'KeysUnavailable';
  }
}

/** The issuer has no such key. */
export class KeyUnknown extends Error {
  constructor() {
    super('the issuer has no such key');
    this.name = 'KeyUnknown';
  }
}

/** Between the begins of two fetches, milliseconds, whatever they are for and whether they fail. */
export const COOLDOWN_MS = 30_000;
const FETCH_TIMEOUT_MS = 5_000;
/** Tokens with unknown keys that wait for one fetch; more are a flood of them. */
const MAX_WAITING = 64;

type RemoteSet = ReturnType<typeof createRemoteJWKSet>;

/**
 * The keys of one place. jose keeps the set, and sees to it that all who want it fetched share one fetch; when to fetch is
 * decided here, by a clock that tests can turn: jose would let a stale set wait for the issuer, ask it with every token while
 * it is away, and never give its keys up.
 */
export class KeySource {
  readonly #options: KeySourceOptions;
  readonly #set: RemoteSet;
  readonly #closed = new AbortController();
  #fetching: Promise<void> | undefined = undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #waiting = 0;
  /** Fetches that were begun; for metrics. */
  fetches = 0;
  /** The last that is over: another object each time. */
  lastFetch: KeyFetch | undefined = undefined;

  constructor(options: KeySourceOptions) {
    this.#options = options;
    // The URL is for show: `customFetch` knows the place.
    this.#set = createRemoteJWKSet(new URL('https://key-set.invalid/'), {
      cacheMaxAge: Number.POSITIVE_INFINITY,
      cooldownDuration: Number.POSITIVE_INFINITY,
      timeoutDuration: FETCH_TIMEOUT_MS,
      [customFetch]: async (_url, { signal }) => {
        const either = AbortSignal.any([signal, this.#closed.signal]);
        return new Response(await options.fetch(options.place, either));
      },
    });
  }

  /**
   * The key that a token names.
   * @throws KeyUnknown, KeysUnavailable, and jose's errors (no single key fits, the key is none)
   */
  readonly key: JWTVerifyGetKey = async (header, token) => {
    const { now, refreshMs, maxAgeMs } = this.#options;
    const age = now() - this.#loadedAt;
    if (age >= maxAgeMs) {
      const failed = await this.#fetchInTime();
      if (now() - this.#loadedAt >= maxAgeMs) throw new KeysUnavailable(failed);
    } else if (age >= refreshMs) {
      void this.#fetchInTime();
    }
    try {
      return await this.#set(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#waitForNewKeys();
      return this.#find(header, token);
    }
  };

  close(): void {
    this.#closed.abort();
  }

  async #find(header: JWSHeaderParameters, token: Parameters<JWTVerifyGetKey>[1]) {
    try {
      return await this.#set(header, token);
    } catch (error) {
      throw error instanceof errors.JWKSNoMatchingKey ? new KeyUnknown() : error;
    }
  }

  /** @throws KeyUnknown when it is too early to ask again, or too many wait already */
  async #waitForNewKeys(): Promise<void> {
    if ((this.#fetching === undefined && this.#isCoolingDown()) || this.#waiting >= MAX_WAITING) throw new KeyUnknown();
    this.#waiting++;
    try {
      await this.#fetchInTime();
    } finally {
      this.#waiting--;
    }
  }

  #isCoolingDown(): boolean {
    return this.#options.now() - this.#fetchedAt < COOLDOWN_MS;
  }

  /** Joins the fetch that is under way, or begins one unless it is too early. Never rejects. @returns what went wrong */
  #fetchInTime(): Promise<unknown> {
    if (this.#fetching === undefined) {
      if (this.#isCoolingDown() || this.#closed.signal.aborted) return Promise.resolve(undefined);
      this.#fetching = this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
    }
    return this.#fetching.then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  async #fetch(): Promise<void> {
    const begun = this.#options.now();
    this.#fetchedAt = begun;
    this.fetches++;
    let failed = true;
    try {
      await this.#set.reload();
      this.#loadedAt = begun;
      failed = false;
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#options.onFailure(this.#options.place, error);
      throw error;
    } finally {
      this.lastFetch = { startedAt: begun, endedAt: this.#options.now(), of: this.#options.place.text, failed };
    }
  }
}

/** The keys of a set that is given: never fetched. @param text valid, see `key-set-rules.ts` */
export function givenKeys(text: string): JWTVerifyGetKey {
  const set = createLocalJWKSet(JSON.parse(text));
  return async (header, token) => {
    try {
      return await set(header, token);
    } catch (error) {
      throw error instanceof errors.JWKSNoMatchingKey ? new KeyUnknown() : error;
    }
  };
}
