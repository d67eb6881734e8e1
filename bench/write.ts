import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const MARKER = '<!-- bench -->';

/**
 * Replaces what stands between the two `<!-- bench -->` lines of a file.
 * @returns false when the file, or a marker, is not there
 */
export function writeBetweenMarkers(path: string, text: string): boolean {
  if (!existsSync(path)) return false;
  const before = readFileSync(path, 'utf8');
  const first = before.indexOf(MARKER);
  const last = before.indexOf(MARKER, first + MARKER.length);
  if (first < 0 || last < 0) return false;
  writeFileSync(path, `${before.slice(0, first + MARKER.length)}\n${text}\n${before.slice(last)}`);
  return true;
}
