import { readFileSync } from 'node:fs';
import { AuthenticationManager, type AuthenticationOptions } from './auth/authentication-manager.ts';
import { FailedCredentials } from './auth/failed-credentials.ts';
import { fetchKeySet } from './auth/jwt/fetch-key-set.ts';
import { KeySources } from './auth/jwt/key-sources.ts';
import { TokenVerifier } from './auth/jwt/token-verifier.ts';
import type { AuthenticationSettings } from './config/to-authentication.ts';
import type { Logger } from './telemetry/logger.ts';

export interface AuthenticationParts
  extends Pick<AuthenticationOptions, 'documents' | 'sync' | 'clock' | 'onStoreError' | 'uses' | 'lookBy'> {
  /** Of the system, where that of a turn is too coarse: Unix and monotonic milliseconds. */
  readonly system: { now(): number; monotonic(): number };
  readonly log: Logger;
}

/** Longer than it takes to look a key up or to verify a token, and nothing to a caller who has to ask for another one. */
const REFUSE_AFTER_MS = 3;

/** What calls are authenticated by: keys, tokens with the keys of their issuers, and who has tried too many wrong ones. */
export function openAuthentication(
  { ca, httpHosts, failures, ...settings }: AuthenticationSettings,
  { system, log, ...parts }: AuthenticationParts,
): { authentication: AuthenticationManager; close(): void } {
  const authorities = ca === undefined ? undefined : readFileSync(ca);
  const keys = new KeySources({
    refreshMs: settings.jwksRefreshMs,
    maxAgeMs: settings.jwksMaxAgeMs,
    now: system.monotonic,
    fetch: (place, signal) => fetchKeySet(place, { httpHosts, ca: authorities }, signal),
    onFailure: ({ text }, error) => log.warn({ keys: text, err: error }, "an issuer's keys were not fetched"),
  });
  const authentication = new AuthenticationManager({
    ...parts,
    verifier: new TokenVerifier({ keys, now: system.now }),
    maxLength: settings.maxTokenLength,
    tokenCacheMs: settings.tokenCacheMs,
    refuseAfterMs: REFUSE_AFTER_MS,
    failures: new FailedCredentials({ ...failures, now: system.monotonic }),
  });
  const close = () => {
    authentication.close();
    keys.close();
  };
  return { authentication, close };
}
