import { expect, test } from 'vitest';
import { ApiKey } from '../../generated/tollgate/admin/v1/api_key.ts';
import { ManifestTenant_Key as Entry } from '../../generated/tollgate/config/v1/manifest.ts';
import { pairKeys } from '../../src/cli/apply/pair-keys.ts';

const key = (id: string, name: string, ...scopes: string[]) => ApiKey.fromPartial({ id, name, scopes });
const entry = (id: string, name: string, ...scopes: string[]) => Entry.fromPartial({ id, name, scopes });
const pair = (entries: Entry[], keys: ApiKey[]) => {
  const { pairs, others } = pairKeys(entries, keys, (a, b) => a.scopes.join() === b.scopes.join());
  return [pairs.map((each) => each.key?.id ?? 'new'), others.map(({ id }) => id)];
};

test('an entry means the key of its id, whatever that is called now', () => {
  expect(pair([entry('k1', 'new-name')], [key('k1', 'old'), key('k2', 'new-name')])).toEqual([['k1'], ['k2']]);
});

test('without an id, or with one of another gateway: the key of its name', () => {
  expect(pair([entry('', 'ci'), entry('elsewhere', 'cd')], [key('k1', 'cd'), key('k2', 'ci')])).toEqual([
    ['k2', 'k1'],
    [],
  ]);
});

test('of several with one name the one that is alike, else the newest', () => {
  const keys = [key('old', 'ci', 'a'), key('new', 'ci', 'b')];
  expect(pair([entry('', 'ci', 'a')], keys)).toEqual([['old'], ['new']]);
  expect(pair([entry('', 'ci', 'c')], keys)).toEqual([['new'], ['old']]);
  expect(pair([entry('', 'ci', 'c'), entry('', 'ci', 'b')], keys)).toEqual([['old', 'new'], []]);
});

test('more entries than keys: the rest are new', () => {
  expect(pair([entry('', 'ci'), entry('', 'ci')], [key('k1', 'ci')])).toEqual([['k1', 'new'], []]);
});
