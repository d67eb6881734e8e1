import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const MARKER = /^<!-- bench -->$/gm;

/**
 * Replaces what stands between the two `<!-- bench -->` lines of a file.
 * @returns false when the file, or a marker, is not there
 */
export function writeBetweenMarkers(path: string, text: string): boolean {
  if (!existsSync(path)) return false;
  const before = readFileSync(path, 'utf8');
  // A line of its own: the word may stand in a text as well.
  const [first, last] = [...before.matchAll(MARKER)];
  if (first === undefined || last === undefined) return false;
  const head = before.slice(0, first.index + first[0].length);
  writeFileSync(path, `${head}\n${text}\n${before.slice(last.index)}`);
  return true;
}
