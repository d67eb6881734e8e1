const DIGITS = '0123456789abcdef';
/** The two hex digits of each octet, ASCII, the first in the lower half. */
const PAIRS = Uint16Array.from(
  { length: 256 },
  (_, octet) => DIGITS.charCodeAt(octet >>> 4) | (DIGITS.charCodeAt(octet & 15) << 8),
);

let lastTarget: Uint8Array | undefined;
let lastView: DataView = new DataView(new ArrayBuffer(0));

/**
 * The octets of `target` for writing four at a time: digit by digit an id takes three times as long. Made anew only when the target
 * is another than the last time; ids are written one behind the other into the same.
 */
export function viewOf(target: Uint8Array): DataView {
  if (target !== lastTarget) {
    lastView = new DataView(target.buffer, target.byteOffset, target.length);
    lastTarget = target;
  }
  return lastView;
}

/** Writes the two hex digits of an octet at `at`. */
export function writeOctet(octet: number, target: DataView, at: number): void {
  target.setUint16(at, PAIRS[octet & 0xff]!, true);
}

/** Writes the four hex digits of the lower 16 bits. */
export function writeHalf(word: number, target: DataView, at: number): void {
  target.setUint32(at, PAIRS[(word >>> 8) & 0xff]! | (PAIRS[word & 0xff]! << 16), true);
}

/** Writes the eight hex digits of 32 bits. */
export function writeWord(word: number, target: DataView, at: number): void {
  writeHalf(word >>> 16, target, at);
  writeHalf(word, target, at + 4);
}
