/**
 * Rows in aligned columns, as people read them.
 *
 * @param columns the head, one name for each column
 */
export function formatTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [columns.map((name) => name.toUpperCase()), ...rows.map((row) => row.map(toCell))];
  const widths = columns.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** One thing, a field a line. */
export function formatFields(fields: readonly (readonly [string, string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${`${name}:`.padEnd(width + 1)} ${toCell(value)}\n`).join('');
}

function toCell(text: string): string {
  return text === '' ? '-' : escapeControls(text);
}

/** Other people's text on a terminal: control characters, and those that turn the direction, would let it write anywhere. */
export function escapeControls(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
