/** Octets of an integer at most: the prefix and five more (2^31 - 1 behind a prefix of any length). */
export const MAX_INTEGER_OCTETS = 6;

/**
 * Writes an integer (RFC 7541 section 5.1) whose prefix shares its octet with `flags`.
 * @param mask the prefix, all ones: 0x7f for seven bits
 * @returns the offset behind it
 */
export function writeInteger(value: number, mask: number, flags: number, target: Uint8Array, offset: number): number {
  if (value < mask) {
    target[offset] = flags | value;
    return offset + 1;
  }
  let at = offset;
  let rest = value - mask;
  target[at++] = flags | mask;
  while (rest >= 0x80) {
    target[at++] = 0x80 | (rest & 0x7f);
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}
