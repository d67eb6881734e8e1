import { hash } from 'node:crypto';
import { isTokenShaped } from './token-shape.ts';

/**
 * The text of an API key: `tg_<name>_<id>_<secret>`. The prefix is for secret scanners, the name for the person who finds
 * it in a file, the id for who looks it up in the registry; the secret is 200 random bits.
 */
export interface KeyText {
  readonly name: string;
  readonly id: string;
  readonly secret: string;
}

/** Crockford's base32 without capitals: no letter is mistaken for a digit, and none needs escaping. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const ID_BYTES = 10;
const SECRET_BYTES = 25;

const FORMAT = /^tg_([a-z0-9][a-z0-9-]{0,62})_([0-9A-Za-z]{16,32})_([0-9A-Za-z]{26,64})$/;
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** 22 characters of 6 bits are 132 bits: the least that a secret of somebody else's making must have room for. */
const MIN_LENGTH = 22;
const MAX_LENGTH = 256;

/**
 * Makes a key.
 * @param random gives so many random bytes, unpredictable ones (`crypto.randomBytes`)
 * @throws RangeError when the name is none
 */
export function mintKey(name: string, random: (bytes: number) => Uint8Array): { text: string; id: string } {
  if (!NAME.test(name)) throw new RangeError(`"${name}" is no name of a key`);
  const id = base32(random(ID_BYTES));
  return { text: `tg_${name}_${id}_${base32(random(SECRET_BYTES))}`, id };
}

/** The parts of a key in our own form; undefined when it is not one. */
export function parseKey(text: string): KeyText | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const match = FORMAT.exec(text);
  if (match === null) return undefined;
  const [, name = '', id = '', secret = ''] = match;
  return { name, id, secret };
}

/**
 * Whether a text can be a key at all: the cheap check before anything is hashed. Keys from a file or the environment may
 * have another form than ours, so all that is asked is a bounded length with room for 128 bits, visible ASCII, and not the
 * form of a token.
 */
export function isPlausibleKey(text: string): boolean {
  if (text.length < MIN_LENGTH || text.length > MAX_LENGTH) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return !isTokenShaped(text);
}

/** What is stored of a key: the SHA-256 of its whole text, lower-case hex. No salt: the secret has entropy enough. */
export function hashKey(text: string): string {
  return hash('sha256', text, 'hex');
}

function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return text;
}
