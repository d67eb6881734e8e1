import { expect, test } from 'vitest';
import { loadScripts } from '../../../src/store/redis/scripts.ts';

const scripts = [...loadScripts().values()];

/** What stands in `KEYS[...]` or `ARGV[...]`: numbers, or what is said of any `i` by a script that works on many. */
function indexes(lines: readonly string[], name: 'KEYS' | 'ARGV'): string[] {
  const found = lines.flatMap((line) => [...line.matchAll(new RegExp(`${name}\\[([^\\]]+)\\]`, 'g'))]);
  return [...new Set(found.map(([, index]) => index!))].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

test('there are scripts', () => {
  expect(scripts.length).toBeGreaterThan(5);
});

test.for(scripts)('the header of $name lists what the script uses: KEYS, ARGV, the reply', ({ text }) => {
  const lines = text.split('\n');
  const header = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('--')),
  );
  const body = lines.filter((line) => !line.trimStart().startsWith('--'));
  for (const name of ['KEYS', 'ARGV'] as const) {
    const declared = indexes(
      header.filter((line) => line.startsWith(`-- ${name}[`)),
      name,
    );
    const numbered = declared.filter((index) => /^\d+$/.test(index));
    if (numbered.length === declared.length) expect(declared).toEqual(declared.map((_, index) => String(index + 1)));
    else expect([numbered, declared.every((index) => /\bi\b/.test(index))]).toEqual([[], true]);
    expect(indexes(body, name)).toEqual(declared);
    // Nothing that the header could not list, but how many there are.
    expect(body.join('\n')).not.toMatch(new RegExp(`(?<!#)${name}(?!\\[[^\\]]+\\])`));
  }
  expect(header.join('\n')).toMatch(/^-- Reply: /m);
});
