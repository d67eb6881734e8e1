import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPrivateSocket } from '../../src/control/private-socket.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tg-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('the socket lies in a fresh folder that nobody else can enter, and both go when it is removed', async () => {
  const socket = await createPrivateSocket([folder]);
  expect(statSync(dirname(socket.path)).mode & 0o777).toBe(0o700);
  writeFileSync(socket.path, '');
  await socket.remove();
  expect(existsSync(dirname(socket.path))).toBe(false);
  expect(existsSync(folder)).toBe(true);
});

test('a folder that is too long for a socket, or not there, is passed over', async () => {
  const long = join(folder, 'x'.repeat(100));
  const socket = await createPrivateSocket([long, join(folder, 'missing'), folder]);
  expect(dirname(dirname(socket.path))).toBe(folder);
  await socket.remove();
});

test('without a usable folder it says so', async () => {
  await expect(createPrivateSocket([join(folder, 'x'.repeat(100))])).rejects.toThrow(
    'no folder for the control socket',
  );
});
