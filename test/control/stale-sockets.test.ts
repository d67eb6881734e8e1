import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeStaleSockets } from '../../src/control/stale-sockets.ts';

let parent: string;
let server: Server | undefined;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'tg-'));
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(parent, { recursive: true });
});

function folder(name: string): string {
  const path = join(parent, name);
  mkdirSync(path);
  return path;
}

/** Last changed two minutes ago. */
function age(path: string): void {
  const then = new Date(Date.now() - 120_000);
  utimesSync(path, then, then);
}

/** A socket whose process has died without removing it. */
function abandon(path: string): void {
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', program]);
  expect(existsSync(path)).toBe(true);
}

test('what a killed gateway left is removed', async () => {
  const dead = folder('g-dead');
  abandon(join(dead, 's'));
  age(dead);
  await removeStaleSockets(parent, 'g-', 's', Date.now());
  expect(existsSync(dead)).toBe(false);
});

test('a gateway that listens, one that is just starting, and folders of others stay', async () => {
  const live = folder('g-live');
  await new Promise<void>((resolve) => {
    server = createServer().listen(join(live, 's'), resolve);
  });
  const young = folder('g-young');
  abandon(join(young, 's'));
  const other = folder('other');
  abandon(join(other, 's'));
  const full = folder('g-full');
  abandon(join(full, 's'));
  writeFileSync(join(full, 'data'), 'of somebody');
  for (const path of [live, other, full]) age(path);
  await removeStaleSockets(parent, 'g-', 's', Date.now());
  for (const path of [live, young, other]) expect(existsSync(join(path, 's'))).toBe(true);
  expect(existsSync(join(full, 'data'))).toBe(true);
});
