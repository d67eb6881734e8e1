declare global {
  // Node's own, older than its types: without the encoding's name to look at, half the cost of toString and write.
  interface Buffer {
    latin1Slice(start?: number, end?: number): string;
    latin1Write(text: string, offset?: number, length?: number): number;
  }
}

/** Above this length the native call (27 ns, whatever the length) is cheaper than a loop (2 ns a unit). */
const LOOP_LIMIT = 14;

const { charCodeAt } = String.prototype;

/**
 * `text.charCodeAt(index)`. Texts come in five shapes (flat, interned, of two halves, ...), and V8 looks the method up anew, by a call of
 * its own, where it has seen more than one of them; a function that is known already costs nothing. It was 0.4 us of a request.
 */
export function codeUnitAt(text: string, index: number): number {
  return charCodeAt.call(text, index);
}

/** The octets `source[start, end)` as code units. */
export function readLatin1(source: Buffer, start: number, end: number): string {
  return start === end ? '' : source.latin1Slice(start, end);
}

/**
 * Writes the code units of `text` as octets at `target[offset...]`, where there must be room.
 * @returns the offset behind them
 */
export function writeLatin1(text: string, target: Buffer, offset: number): number {
  const length = text.length;
  if (length > LOOP_LIMIT) {
    target.latin1Write(text, offset, length);
  } else {
    for (let i = 0; i < length; i++) target[offset + i] = codeUnitAt(text, i);
  }
  return offset + length;
}
