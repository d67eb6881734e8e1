import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Principal } from '../../chain/call.ts';
import type { IdentityIndex } from '../../sync/identity-index.ts';
import { normalizeType, type TokenIssuer } from '../../sync/trusted-names.ts';
import { type KeyFetch, KeysUnavailable } from './key-source.ts';
import { readToken, type UnverifiedToken } from './token.ts';
import { principalOfToken } from './token-principal.ts';

/** What came of a token; and the fetch of keys that its verification waited for. */
export type TokenVerdict = { readonly fetch?: KeyFetch | undefined } & (
  | {
      readonly valid: true;
      readonly principal: Principal;
      readonly issuer: TokenIssuer;
      /** Unix milliseconds. */
      readonly expiresAt: number;
    }
  | {
      readonly valid: false;
      /** It was good once, as far as it says itself: who sends it is late, and guesses nothing. */
      readonly expired: boolean;
    }
);

const INVALID: TokenVerdict = { valid: false, expired: false };
const EXPIRED: TokenVerdict = { valid: false, expired: true };

export interface TokenVerifierOptions {
  /** The keys of a place. */
  readonly keys: {
    of(place: TokenIssuer['keys']): JWTVerifyGetKey;
    /** Another object after each fetch; absent where none are made. */
    lastFetch?(place: TokenIssuer['keys']): KeyFetch | undefined;
  };
  /** Unix milliseconds. */
  readonly now: () => number;
}

/**
 * Says whose a token is (RFC 7519, RFC 8725). What can be refused without a key is refused before one is looked for; the
 * signature, and every claim that RFC 7519 registers, is jose's to check.
 */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /**
   * @param text one that `isTokenShaped`, of bounded length
   * @throws KeysUnavailable, or what is no fault of the token
   */
  async verify(text: string, identities: IdentityIndex): Promise<TokenVerdict> {
    const token = readToken(text);
    const issuer = token && identities.issuerOf(token.claims);
    if (token === undefined || issuer === undefined || !fits(token, issuer)) return INVALID;
    const { exp } = token.claims;
    if (typeof exp !== 'number' || !Number.isFinite(exp)) return INVALID;
    if (exp * 1000 <= this.#options.now()) return EXPIRED;
    const { keys } = this.#options;
    const before = keys.lastFetch?.(issuer.keys);
    return this.#judge(text, issuer, exp, () => {
      const last = keys.lastFetch?.(issuer.keys);
      return last === before ? undefined : last;
    });
  }

  /** @param fetched what was fetched meanwhile */
  async #judge(
    text: string,
    issuer: TokenIssuer,
    exp: number,
    fetched: () => KeyFetch | undefined,
  ): Promise<TokenVerdict> {
    try {
      const { payload } = await this.#verify(text, issuer);
      return { ...this.#accept(issuer, payload, exp), fetch: fetched() };
    } catch (error) {
      if (error instanceof KeysUnavailable) {
        error.fetch = fetched();
        throw error;
      }
      // jose's errors, KeyUnknown, and what Web Crypto throws of a key that is none: all of them say that this token is not valid.
      return { ...(error instanceof errors.JWTExpired ? EXPIRED : INVALID), fetch: fetched() };
    }
  }

  #verify(text: string, issuer: TokenIssuer) {
    const { maxTokenAgeMs, clockToleranceMs } = issuer;
    return jwtVerify(text, this.#options.keys.of(issuer.keys), {
      algorithms: [...issuer.algorithms],
      issuer: issuer.issuer,
      audience: [...issuer.audiences],
      requiredClaims: ['exp'],
      currentDate: new Date(this.#options.now()),
      // Of `nbf` and `iat`; that `exp` is not stretched by it is checked here.
      clockTolerance: Math.ceil(clockToleranceMs / 1000),
      ...(maxTokenAgeMs === undefined ? {} : { maxTokenAge: Math.ceil(maxTokenAgeMs / 1000) }),
    });
  }

  /** @param claims verified. @param exp of the token; here again, for it may have ended while its key was fetched */
  #accept(issuer: TokenIssuer, claims: Readonly<Record<string, unknown>>, exp: number): TokenVerdict {
    const expiresAt = exp * 1000;
    if (claims.exp !== exp || expiresAt <= this.#options.now()) return EXPIRED;
    const principal = principalOfToken(issuer, claims);
    return principal === undefined ? INVALID : { valid: true, principal, issuer, expiresAt };
  }
}

function fits({ algorithm, type }: UnverifiedToken, issuer: TokenIssuer): boolean {
  if (!issuer.algorithms.has(algorithm)) return false;
  return type === undefined ? issuer.typeOptional : issuer.types.has(normalizeType(type));
}
