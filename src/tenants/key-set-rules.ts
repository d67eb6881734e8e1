/** Octets of a key set's text. */
const MAX_TEXT = 65_536;
const MAX_KEYS = 100;
/** Members of a JSON Web Key that nobody but the issuer may have (RFC 7518 section 6). */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'];

/**
 * What is wrong with the text of a JSON Web Key Set; undefined when nothing is, as far as that can be told without a token.
 * Never shows what is in it.
 */
export function faultOfKeySet(text: string): string | undefined {
  if (text.length > MAX_TEXT) return `is longer than ${MAX_TEXT} octets`;
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    return 'is not JSON';
  }
  if (!isObject(set) || !Array.isArray(set.keys)) return 'is no key set: {"keys": [...]} is expected';
  const keys: unknown[] = set.keys;
  if (keys.length === 0) return 'has no keys';
  if (keys.length > MAX_KEYS) return `has more than ${MAX_KEYS} keys`;
  for (const [index, key] of keys.entries()) {
    if (!isObject(key) || typeof key.kty !== 'string') return `has no "kty" in key ${index}`;
    if (key.kty === 'oct') return `has a shared secret (key ${index}): who verifies with it could sign too`;
    if (PRIVATE.some((member) => Object.hasOwn(key, member))) {
      return `has a private key (key ${index}): give the public half, and regard this one as known to others`;
    }
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
