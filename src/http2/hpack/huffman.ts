import { HpackError } from './hpack-error.ts';
import { codeUnitAt } from './latin1.ts';

/**
 * Bits of the code of each symbol (RFC 7541 appendix B), 256 being EOS. The code is canonical: within a length, codes follow
 * the order of symbols, so the lengths are all of it.
 */
// biome-ignore format: sixteen symbols a line
const CODE_LENGTHS = Uint8Array.of(
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
);
const EOS = 256;
const LONGEST = 30;

const CODES = assignCodes(CODE_LENGTHS);

/**
 * The decoder is a state machine that eats four bits a step. A state is an inner node of the code's tree (0 the root; there are
 * 256), an entry says where four bits lead: `next << 9 | symbol << 1 | emits`, or -1 for EOS. Four bits emit one symbol at
 * most, because the shortest code has five. 16 KiB; eight bits a step would take 256 KiB for less than twice the speed.
 */
const STEPS = new Int32Array(256 * 16);
/** 1 for states where a string may end: up to seven bits, all ones, behind the last symbol (section 5.2). */
const ACCEPTS = new Uint8Array(256);
buildMachine();

function assignCodes(lengths: Uint8Array): Uint32Array {
  const codes = new Uint32Array(lengths.length);
  let code = 0;
  for (let length = 1; length <= LONGEST; length++) {
    for (let symbol = 0; symbol < lengths.length; symbol++) if (lengths[symbol] === length) codes[symbol] = code++;
    code *= 2;
  }
  return codes;
}

/** The tree as pairs: `tree[2 * node + bit]` is the inner node that follows, or `-1 - symbol`. */
function buildTree(): Int32Array {
  const tree = new Int32Array(256 * 2);
  let nodes = 1;
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let node = 0;
    for (let bit = CODE_LENGTHS[symbol]! - 1; bit > 0; bit--) {
      const edge = 2 * node + ((CODES[symbol]! >>> bit) & 1);
      if (tree[edge] === 0) tree[edge] = nodes++;
      node = tree[edge]!;
    }
    tree[2 * node + (CODES[symbol]! & 1)] = -1 - symbol;
  }
  return tree;
}

function buildMachine(): void {
  const tree = buildTree();
  for (let state = 0; state < 256; state++) {
    for (let nibble = 0; nibble < 16; nibble++) STEPS[state * 16 + nibble] = walk(tree, state, nibble);
  }
  for (let node = 0, bits = 0; bits <= 7; bits++) {
    ACCEPTS[node] = 1;
    node = tree[2 * node + 1]!;
  }
}

function walk(tree: Int32Array, state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    node = tree[2 * node + ((nibble >>> bit) & 1)]!;
    if (node >= 0) continue;
    const symbol = -1 - node;
    if (symbol === EOS) return -1;
    emitted = (symbol << 1) | 1;
    node = 0;
  }
  return (node << 9) | emitted;
}

/** Where strings are decoded before they become strings; larger ones get a buffer of their own, so this never grows. */
const SCRATCH = Buffer.allocUnsafeSlow(16_384);

/**
 * Decodes the Huffman-coded string `source[start, end)`.
 * @throws HpackError when it holds EOS, or its padding is longer than seven bits or not all ones (RFC 7541 section 5.2)
 */
export function decodeHuffman(source: Uint8Array, start: number, end: number): string {
  const longest = Math.floor(((end - start) * 8) / 5);
  const target = longest <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafeSlow(longest);
  let state = 0;
  let length = 0;
  for (let i = start; i < end; i++) {
    const octet = source[i]!;
    const high = STEPS[(state << 4) | (octet >>> 4)]!;
    if ((high & 1) === 1) target[length++] = high >>> 1;
    const low = high < 0 ? -1 : STEPS[((high >>> 9) << 4) | (octet & 15)]!;
    if (low < 0) throw new HpackError('EOS in a Huffman-coded string');
    if ((low & 1) === 1) target[length++] = low >>> 1;
    state = low >>> 9;
  }
  if (ACCEPTS[state] === 0) throw new HpackError('bad padding of a Huffman-coded string');
  return target.latin1Slice(0, length);
}

/** Octets that `text` (latin1 code units) takes when Huffman-coded. */
export function measureHuffman(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += CODE_LENGTHS[codeUnitAt(text, i) & 0xff]!;
  return (bits + 7) >>> 3;
}

/**
 * Writes `text` Huffman-coded at `target[offset...]`; there must be room for `measureHuffman(text)` octets.
 * @returns the offset behind it
 */
export function writeHuffman(text: string, target: Uint8Array, offset: number): number {
  let at = offset;
  let pending = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = codeUnitAt(text, i) & 0xff;
    const code = CODES[symbol]!;
    // Up to 7 bits wait and up to 28 come: 35, so long codes go in two parts.
    let rest = CODE_LENGTHS[symbol]!;
    while (rest > 0) {
      const take = Math.min(rest, 16);
      rest -= take;
      pending = (pending << take) | ((code >>> rest) & ((1 << take) - 1));
      bits += take;
      while (bits >= 8) {
        bits -= 8;
        target[at++] = pending >>> bits;
      }
      pending &= (1 << bits) - 1;
    }
  }
  if (bits > 0) target[at++] = (pending << (8 - bits)) | (0xff >>> bits);
  return at;
}
