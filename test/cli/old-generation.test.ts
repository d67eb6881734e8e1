import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const MODULE = new URL('../../src/cli/old-generation.ts', import.meta.url);

/** Is busy, keeps nothing, and has nothing to do from then on. */
const BUSY_THEN_IDLE = `
  import { OldGeneration } from '${MODULE.href}';
  new OldGeneration(process.execArgv, 50);
  const until = performance.now() + 150;
  let kept = [];
  while (performance.now() < until) kept.push({ until });
  kept = [];
  setTimeout(() => {}, 120_000);
`;

// V8 alone says nothing any more.
test('a process that was busy and is idle gives memory back, twice, and is left in peace then', async () => {
  const flags = ['--trace-gc', '--no-memory-reducer', '--input-type=module', '-e', BUSY_THEN_IDLE];
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  const committed: number[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const reduced = /Mark-Compact \(reduce\) [\d.]+ \([\d.]+\) -> [\d.]+ \(([\d.]+)\) MB/.exec(line);
      if (reduced !== null) committed.push(Number(reduced[1]));
      if (committed.length === 2) break;
    }
    // Twenty looks later there was none.
    const more = await Promise.race([once(child.stdout, 'data'), delay(1_000, 'silence')]);
    expect(more).toBe('silence');
  } finally {
    child.kill();
  }
  expect(committed[1]).toBeLessThan(20); // MiB; its young generation alone was 32.
});

/** Leaves V8 something to give back, and lives on for longer than V8 is told to wait before it does. */
const leaveGarbage = (flags: string) => `
  import { OldGeneration } from '${MODULE.href}';
  new OldGeneration(${flags});
  let kept = Array.from({ length: 600_000 }, (_, index) => ({ index, more: [index] }));
  gc();
  kept = [];
  gc();
  setTimeout(() => {}, 500);
`;

describe("V8's own collections that give memory back, and make the young generation small", () => {
  const V8_FLAGS = ['--expose-gc', '--trace-memory-reducer', '--gc-memory-reducer-start-delay-ms=10'];

  async function told(flags: string): Promise<string> {
    const program = ['--memory-reducer-gc-count=2', '--input-type=module', '-e', leaveGarbage(flags)];
    const { stdout } = await promisify(execFile)(process.execPath, [...V8_FLAGS, ...program]);
    expect(stdout).toContain('Memory reducer:');
    return stdout;
  }

  test('do not come under a load that is light but for ever', async () => {
    expect(await told('[]')).not.toMatch(/waiting|started/);
  });

  test('come where the operator says so', async () => {
    expect(await told('process.execArgv')).toMatch(/waiting|started/);
  });
});

/** Keeps 60 MiB, of which 40 are always replaced by others that live as long; prints how often all was collected. */
const GARBAGE = `
  import { PerformanceObserver, constants } from 'node:perf_hooks';
  import { OldGeneration } from '${MODULE.href}';
  const old = new OldGeneration(process.execArgv);
  let major = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) major++;
  });
  observer.observe({ entryTypes: ['gc'] });
  const kept = Array.from({ length: 200_000 }, (_, index) => ({ index, more: [index] }));
  const ring = new Array(400_000);
  gc(); // It sets the first limit.
  let made = 0;
  function turn() {
    for (let index = 0; index < 5_000; index++) ring[made++ % ring.length] = { made, more: [made] };
    if (made < 4_000_000) setImmediate(turn);
    else {
      console.log(major);
      old.release();
    }
  }
  turn();
`;

describe('while it is busy', () => {
  async function collections(...flags: string[]): Promise<number> {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      ...flags,
      '--input-type=module',
      '-e',
      GARBAGE,
    ]);
    return Number(stdout);
  }

  test('all is collected when there is twice as much as lives, or as the operator says', async () => {
    const [ours, small] = [await collections(), await collections('--heap-growing-percent=10')];
    expect(small).toBeGreaterThan(ours);
  });
});
