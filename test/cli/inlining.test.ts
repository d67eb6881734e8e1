import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MODULE = new URL('../../src/cli/inlining.ts', import.meta.url);

/** A function that calls twelve others, each about as long as what a call goes through. */
const PROGRAM = `
  import { Inlining } from '${MODULE.href}';
  const inlining = new Inlining(process.execArgv);
  if (process.env.RELEASE) inlining.release();
  const bodies = Array.from({ length: 12 }, (_, k) => Array.from({ length: 12 }, (_, i) =>
    's = (s * ' + (k + i + 3) + ' + ' + i + ') | 0; if (s === ' + (i * 7919 + k) + ') s ^= x;').join(' '));
  const parts = bodies.map((body) => new Function('x', 'let s = x; ' + body + ' return s;'));
  const names = parts.map((_, k) => 'part' + k);
  const whole = new Function(...names,
    'return function whole(s) { ' + names.map((name) => 's = ' + name + '(s);').join(' ') + ' return s; }')(...parts);
  let sum = 0;
  for (let i = 0; i < 300_000; i++) sum = whole(sum + i);
`;

/** How many of the functions V8 says it has compiled into the one that calls them. */
async function inlined(flags: readonly string[] = [], env: Record<string, string> = {}): Promise<number> {
  // At once, not beside the program, which would have ended.
  const all = [
    '--trace-turbo-inlining',
    '--no-concurrent-recompilation',
    ...flags,
    '--input-type=module',
    '-e',
    PROGRAM,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, all, { env: { ...process.env, ...env } });
  return stdout.split('\n').filter((line) => line.startsWith('Inlining')).length;
}

test('V8 compiles more of what is called into one function than by default', async () => {
  const [ours, released] = await Promise.all([inlined(), inlined([], { RELEASE: '1' })]);
  expect(ours).toBeGreaterThan(1.5 * released);
});

test("the operator's own word holds", async () => {
  const flags = ['--max-inlined-bytecode-size-cumulative=500'];
  const [theirs, released] = await Promise.all([inlined(flags), inlined([], { RELEASE: '1' })]);
  expect(theirs).toBeLessThan(released);
});
