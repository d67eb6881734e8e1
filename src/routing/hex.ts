const DIGITS = '0123456789abcdef';
/** The first and the second digit of each octet, ASCII. */
const FIRST = Uint8Array.from({ length: 256 }, (_, octet) => DIGITS.charCodeAt(octet >>> 4));
const SECOND = Uint8Array.from({ length: 256 }, (_, octet) => DIGITS.charCodeAt(octet & 15));

/** Writes the two hex digits of an octet at `target[at]`. */
export function writeOctet(octet: number, target: Uint8Array, at: number): void {
  target[at] = FIRST[octet]!;
  target[at + 1] = SECOND[octet]!;
}

/** Writes the four hex digits of the lower 16 bits. */
export function writeHalf(word: number, target: Uint8Array, at: number): void {
  writeOctet((word >>> 8) & 0xff, target, at);
  writeOctet(word & 0xff, target, at + 2);
}

/** Writes the eight hex digits of 32 bits. */
export function writeWord(word: number, target: Uint8Array, at: number): void {
  writeHalf(word >>> 16, target, at);
  writeHalf(word, target, at + 4);
}
