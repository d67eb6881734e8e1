import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { afterAll, expect, test } from 'vitest';
import { bufBinary } from '../../src/contracts/buf.ts';

const root = resolve(import.meta.dirname, '../..');
const work = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Relative path -> content of every file below a folder. */
function tree(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'latin1')]));
}

test('generating again changes nothing', () => {
  execFileSync(process.execPath, [join(root, 'scripts/generate.ts'), work], { cwd: root });
  for (const folder of ['generated', 'examples/bookstore/generated']) {
    const fresh = tree(join(work, folder));
    const kept = tree(join(root, folder));
    expect([...kept.keys()]).toEqual([...fresh.keys()]);
    const changed = [...fresh].filter(([path, text]) => kept.get(path) !== text).map(([path]) => path);
    expect(changed, 'run npm run generate').toEqual([]);
  }
});

test('the vendored validate.proto is what the script writes from the installed protovalidate', () => {
  const path = join(work, 'validate.proto');
  execFileSync(process.execPath, [join(root, 'scripts/vendor-validate.ts'), path], { cwd: root });
  expect(readFileSync(path, 'utf8')).toBe(readFileSync(join(root, 'proto/buf/validate/validate.proto'), 'utf8'));
});

test('the protos pass buf lint', () => {
  const lint = () => execFileSync(bufBinary(), ['lint'], { cwd: root, encoding: 'utf8', stdio: 'pipe' });
  expect(lint()).toBe('');
});

test('buf breaking lets the protos pass against the descriptors that are checked in, but no renamed field', () => {
  const changed = join(work, 'changed');
  cpSync(join(root, 'proto'), join(changed, 'proto'), { recursive: true });
  const buf = readFileSync(join(root, 'buf.yaml'), 'utf8').replace('  - path: examples/bookstore/proto\n', '');
  writeFileSync(join(changed, 'buf.yaml'), buf);
  const against = join(root, 'generated/tollgate.binpb');
  const run = () => spawnSync(bufBinary(), ['breaking', '--against', against], { cwd: changed, encoding: 'utf8' });
  expect(run()).toMatchObject({ status: 0, stdout: '' });
  const tenant = join(changed, 'proto/tollgate/admin/v1/tenant.proto');
  writeFileSync(tenant, readFileSync(tenant, 'utf8').replace('string display_name', 'string shown_name'));
  expect(run()).toMatchObject({ status: 100, stdout: expect.stringContaining('"shown_name"') });
});

test('the descriptor set has our protos and all that they import', () => {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(join(root, 'generated/tollgate.binpb')));
  const names = new Set(set.file.map((file) => file.name));
  for (const file of set.file) for (const name of file.dependency) expect(names).toContain(name);
  for (const name of [
    'tollgate/config/v1/config.proto',
    'tollgate/policy/v1/policy.proto',
    'grpc/health/v1/health.proto',
  ]) {
    expect(names).toContain(name);
  }
});
