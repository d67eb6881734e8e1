import { hasTwins } from './json-twins.ts';

/** What a token says before anybody has vouched for it. */
export interface UnverifiedToken {
  readonly algorithm: string;
  /** Undefined when there is none. */
  readonly type: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
}

const MAX_KID = 256;

/**
 * Header parameters with which a token would say itself how to verify it. RFC 8725 section 3.10 warns of following them; we
 * refuse them, so that nobody behind us can be led to.
 */
const REFUSED_PARAMETERS = ['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'];

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a token without trusting it.
 * @param text one that `isTokenShaped`
 * @returns undefined when no valid token looks like this, whatever its signature
 */
export function readToken(text: string): UnverifiedToken | undefined {
  const [first = '', second = '', signature] = text.split('.');
  if (signature === '') return undefined;
  const header = readObject(first);
  if (header === undefined) return undefined;
  const { alg, typ, kid } = header;
  if (typeof alg !== 'string') return undefined;
  if (typ !== undefined && typeof typ !== 'string') return undefined;
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID)) return undefined;
  if (REFUSED_PARAMETERS.some((name) => Object.hasOwn(header, name))) return undefined;
  const claims = readObject(second);
  return claims && { algorithm: alg, type: typ, claims };
}

function readObject(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = decoder.decode(Buffer.from(part, 'base64url'));
    const value: unknown = JSON.parse(text);
    return isObject(value) && !hasTwins(text) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
