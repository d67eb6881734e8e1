import type { IdentityIndex } from '../sync/identity-index.ts';
import type { TokenVerdict, TokenVerifier } from './jwt/token-verifier.ts';

/** Makes of a verdict what the look-up gives. @param identities what it was found by */
export type RememberToken<T> = (hash: string, verdict: TokenVerdict, identities: IdentityIndex) => T;

/** Has tokens verified: one verification at a time for each, whoever waits for it, and not too many of them in all. */
export class TokenLookup<T> {
  readonly #verifier: Pick<TokenVerifier, 'verify'>;
  readonly #remember: RememberToken<T>;
  readonly #maxFlights: number;
  readonly #flights = new Map<string, Promise<T>>();

  constructor(verifier: Pick<TokenVerifier, 'verify'>, maxFlights: number, remember: RememberToken<T>) {
    this.#verifier = verifier;
    this.#maxFlights = maxFlights;
    this.#remember = remember;
  }

  /** @returns undefined when too many are under way; the promise rejects with KeysUnavailable, or what went wrong of ours */
  find(hash: string, text: string, identities: IdentityIndex): Promise<T> | undefined {
    const flying = this.#flights.get(hash);
    if (flying !== undefined) return flying;
    if (this.#flights.size >= this.#maxFlights) return undefined;
    const flight = this.#verify(hash, text, identities);
    this.#flights.set(hash, flight);
    return flight;
  }

  async #verify(hash: string, text: string, identities: IdentityIndex): Promise<T> {
    try {
      const verdict = await this.#verifier.verify(text, identities);
      return this.#remember(hash, verdict, identities);
    } finally {
      this.#flights.delete(hash);
    }
  }
}
