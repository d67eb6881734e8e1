import { describe, expect, it } from 'vitest';
import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import { toAllowList } from '../../src/sync/allow-list.ts';
import { method } from '../auth/support.ts';

function entry(contract: string, name: string): MethodEntry {
  return { ...method(), contract, name, path: `/${name}` };
}
const METHODS = [
  entry('books', 'books.v1.Books/Get'),
  entry('books', 'books.v1.Books/GetAll'),
  entry('books', 'books.v1.BooksAdmin/Get'),
  entry('music', 'music.v1.Music/Get'),
  entry('tollgate', 'tollgate.admin.v1.TenantService/GetTenant'),
  entry('health', 'grpc.health.v1.Health/Check'),
  entry('reflection', 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo'),
];
const index = (methods: readonly MethodEntry[]) => new Map(methods.map((each) => [each.path, each]));
const OWN = METHODS.slice(4).map(({ name }) => name);

describe('a list of what is allowed', () => {
  it.each([
    [['books'], ['books.v1.Books/Get', 'books.v1.Books/GetAll', 'books.v1.BooksAdmin/Get']],
    [['books.v1.Books'], ['books.v1.Books/Get', 'books.v1.Books/GetAll']],
    [['books.v1.Books/Get'], ['books.v1.Books/Get']],
    [
      ['books.v1.BooksAdmin', 'music.v1.Music/Get'],
      ['books.v1.BooksAdmin/Get', 'music.v1.Music/Get'],
    ],
    [['books.v1', 'book', 'Books', 'books.v1.Books/get'], []],
  ])('%s allows these methods, and those of the gateway itself', (names, allowed) => {
    const methods = index(METHODS);
    const list = toAllowList(names)!;
    expect(METHODS.filter((each) => list.allows(each, methods)).map(({ name }) => name)).toEqual([...allowed, ...OWN]);
  });

  it('is empty for everything', () => {
    expect(toAllowList([])).toBeUndefined();
  });

  it('knows methods by their entry: those of other contracts under the same names are looked at anew', () => {
    const list = toAllowList(['books'])!;
    const before = index(METHODS);
    const moved = METHODS.map((each) => entry(each.contract === 'books' ? 'music' : 'books', each.name));
    expect(list.allows(METHODS[0]!, before)).toBe(true);
    const after = index(moved);
    expect(list.allows(moved[0]!, after)).toBe(false);
    expect(list.allows(moved[3]!, after)).toBe(true);
    // One that is not in the snapshot at all.
    expect(list.allows(METHODS[0]!, after)).toBe(false);
  });

  it('looks at names once for each version of the contracts, not once for each call', () => {
    const list = toAllowList(['books'])!;
    const methods = index(METHODS);
    let looks = 0;
    const watched = new Proxy(methods, {
      get: (target, property) => {
        if (property === 'values') looks++;
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    for (let i = 0; i < 100; i++) for (const each of METHODS) list.allows(each, watched);
    expect(looks).toBe(1);
  });
});
