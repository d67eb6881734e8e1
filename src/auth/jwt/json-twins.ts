/**
 * Whether an object of a JSON text has a member twice. RFC 8259 section 4 leaves open which of the two counts, so who reads
 * the first and who reads the last would read two different tokens in one.
 * @param text valid JSON
 */
export function hasTwins(text: string): boolean {
  /** Names of the members of each object that is open; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      const end = endOfString(text, i);
      const names = open.at(-1);
      if (isName && names !== undefined) {
        const name: unknown = JSON.parse(text.slice(i, end));
        if (names.has(String(name))) return true;
        names.add(String(name));
        isName = false;
      }
      i = end - 1;
    } else if (c === '{' || c === '[') {
      open.push(c === '{' ? new Set() : undefined);
      isName = c === '{';
    } else if (c === '}' || c === ']') {
      open.pop();
      isName = false;
    } else if (c === ',') {
      isName = open.at(-1) !== undefined;
    }
  }
  return false;
}

/** The place behind the quote that closes the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i + 1;
}
