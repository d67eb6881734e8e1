import { createHash } from 'node:crypto';

/** True for `tg_<name>_<keyid>_<secret>`; the secret is long enough for 128 bits in base64. */
export function looksLikeKey(text: string): boolean {
  return /^tg_[a-z0-9][a-z0-9-]{0,62}_[A-Za-z0-9-]+_[A-Za-z0-9_-]{22,}$/.test(text);
}

/** SHA-256 of a key's whole text, lower-case hex. */
export function hashKey(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
