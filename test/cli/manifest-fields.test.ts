import { expect, test } from 'vitest';
import { NOT_DECIDED } from '../../src/cli/apply/fields.ts';
import { readOwnRegistry } from '../../src/cli/to-json.ts';

// What `export` and `apply` would otherwise lose: a field that somebody may set, and no file can say.

const fieldsOf = (type: string) =>
  readOwnRegistry()
    .getMessage(type)
    ?.fields.map(({ name }) => name) ?? [];

test.each([
  ['Plan', 'Plan', ['name']],
  ['Tenant', 'ManifestTenant', ['id', 'keys']],
  ['Backend', 'ManifestBackend', ['name']],
  ['Contract', 'ManifestContract', ['name']],
  ['ApiKey', 'ManifestTenant.Key', ['id']],
])('every field of %s that is not the gateway’s own is in a manifest, under the same name', (admin, file, more) => {
  const decided = fieldsOf(`tollgate.admin.v1.${admin}`).filter((name) => !NOT_DECIDED.has(name));
  expect(decided).not.toEqual([]);
  expect(new Set(fieldsOf(`tollgate.config.v1.${file}`))).toEqual(new Set([...decided, ...more]));
});
