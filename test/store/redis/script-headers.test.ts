import { expect, test } from 'vitest';
import { loadScripts } from '../../../src/store/redis/scripts.ts';

const scripts = [...loadScripts().values()];

/** Numbers in `KEYS[n]` or `ARGV[n]`. */
function numbers(lines: readonly string[], name: 'KEYS' | 'ARGV'): number[] {
  const found = lines.flatMap((line) => [...line.matchAll(new RegExp(`${name}\\[(\\d+)\\]`, 'g'))]);
  return [...new Set(found.map(([, number]) => Number(number)))].sort((a, b) => a - b);
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
    const declared = numbers(
      header.filter((line) => line.startsWith(`-- ${name}[`)),
      name,
    );
    expect(declared).toEqual(declared.map((_, index) => index + 1));
    expect(numbers(body, name)).toEqual(declared);
    // Nothing that the header could not list.
    expect(body.join('\n')).not.toMatch(new RegExp(`${name}(?!\\[\\d+\\])`));
  }
  expect(header.join('\n')).toMatch(/^-- Reply: /m);
});
