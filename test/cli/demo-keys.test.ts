import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDemoKeys } from '../../src/cli/demo-keys.ts';
import { parseKey } from '../../src/tenants/key-text.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tg-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('the first start makes the keys, for this user alone; later ones find them', () => {
  const data = join(folder, 'data');
  const first = readDemoKeys(data, {}, randomBytes);
  expect(parseKey(first.key)).toMatchObject({ name: 'laptop' });
  expect(first.env.TOLLGATE_DEMO_KEY).toBe(first.key);
  expect(readFileSync(first.path, 'utf8')).toBe(`${first.key}\n`);
  expect(statSync(first.path).mode & 0o777).toBe(0o600);
  expect(readDemoKeys(data, {}, randomBytes)).toEqual(first);
});

test('a key from the environment is taken, and not written down', () => {
  const { key } = readDemoKeys(folder, { TOLLGATE_DEMO_KEY: 'mine' }, randomBytes);
  expect(key).toBe('mine');
  expect(() => readFileSync(join(folder, 'demo.key'))).toThrow('ENOENT');
});

test('an empty file is filled', () => {
  writeFileSync(join(folder, 'demo.key'), '', { mode: 0o644 });
  const { key, path } = readDemoKeys(folder, {}, randomBytes);
  expect(readFileSync(path, 'utf8').trim()).toBe(key);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
