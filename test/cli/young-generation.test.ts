import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MODULE = new URL('../../src/cli/young-generation.ts', import.meta.url);

/** Keeps so much for a while that V8's young generation grows as far as it may; prints how large it was at most, in MiB. */
const PROGRAM = `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { YoungGeneration } from '${MODULE.href}';
  new YoungGeneration(process.execArgv).letGrow();
  const kept = new Array(40_000);
  const young = () => getHeapSpaceStatistics().find((each) => each.space_name === 'new_space').space_size / 1024 / 1024;
  let made = 0;
  let most = 0;
  function turn() {
    for (let index = 0; index < 5_000; index++) kept[made++ % kept.length] = { made, more: [made, made, made, made, made, made] };
    most = Math.max(most, young());
    if (made < 10_000_000) setImmediate(turn);
    else console.log(most);
  }
  turn();
`;

async function run(...flags: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--input-type=module', '-e', PROGRAM]);
  return stdout;
}

/** Milliseconds that V8 says other threads have worked on each collection of the young generation. */
async function helpedMs(...flags: string[]): Promise<number[]> {
  const told = await run('--trace-gc-nvp', ...flags);
  return Array.from(told.matchAll(/background\.scavenge\.parallel=([\d.]+)/g), ([, ms]) => Number(ms));
}

test("V8's young generation stops to grow at 32 MiB, or one step later", async () => {
  expect(Number(await run())).toBeLessThanOrEqual(64);
});

test('it grows as far as the operator allows', async () => {
  expect(Number(await run('--max-semi-space-size=64'))).toBeGreaterThan(64);
});

test('the thread that runs calls collects it alone', async () => {
  const helped = await helpedMs();
  expect(helped.length).toBeGreaterThan(10);
  // Those from before the program began are not its own.
  expect(helped.slice(helped.length / 2).filter((ms) => ms > 0)).toEqual([]);
});

test('others help where the operator says so', async () => {
  const helped = await helpedMs('--parallel-scavenge');
  expect(helped.filter((ms) => ms > 0)).not.toEqual([]);
});
