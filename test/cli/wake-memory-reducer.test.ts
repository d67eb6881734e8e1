import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';

const MODULE = new URL('../../src/cli/wake-memory-reducer.ts', import.meta.url);

/** Allocates, has V8 make a full collection, from when on the reducer looks every 8 s, and then has nothing to do. */
const PROGRAM = `
  import { wakeMemoryReducer } from '${MODULE.href}';
  wakeMemoryReducer();
  const kept = [];
  for (let round = 0; round < 40; round++) {
    kept.length = 0;
    for (let index = 0; index < 50_000; index++) kept.push({ index });
  }
  gc();
  setTimeout(() => {}, 120_000);
`;

// Without it V8 says "high alloc" at every look, and collects 100 s after the last full collection, or never.
test('V8 sees that little is allocated, and gives memory back', async () => {
  const flags = [
    '--expose-gc',
    '--trace-memory-reducer',
    '--gc-memory-reducer-start-delay-ms=100',
    '--input-type=module',
    '-e',
  ];
  const child = spawn(process.execPath, [...flags, PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: string[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      said.push(line.replace(/^.*Memory reducer: /, ''));
      if (line.includes('finished GC')) break;
    }
  } finally {
    child.kill();
  }
  expect(said).toContain('low alloc, foreground');
  expect(said.at(-1)).toContain('finished GC #1');
});
