import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtinContracts, SELF_SERVICE, TOLLGATE_CONTRACT } from '../../../src/contracts/builtin.ts';
import { Code } from '../../../src/grpc/status.ts';
import { readDetails } from '../details.ts';
import { CALLERS, Callers } from './callers.ts';
import { MATRIX } from './matrix.ts';

const EMPTY = new Uint8Array();
const METHODS = builtinContracts().find(({ name }) => name === TOLLGATE_CONTRACT)!.methods;

let world: Callers;
beforeAll(async () => {
  world = await Callers.start();
});
afterAll(() => world.stop());

test('every method of the gateway has its line in the matrix', () => {
  expect(Object.keys(MATRIX).sort()).toEqual(METHODS.map(({ name }) => name).sort());
});

test('what is for tenants themselves is what the matrix tests as such', () => {
  const self = Object.keys(MATRIX).filter((name) => MATRIX[name]?.self !== undefined || MATRIX[name]?.selfOnly);
  expect([...SELF_SERVICE].map((path) => path.slice(1)).sort()).toEqual(self.sort());
});

describe.each(METHODS)('$name', ({ name, path, kind }) => {
  test.each(CALLERS)('%s', async (caller) => {
    const { code, details } = await world.call(caller, path, EMPTY, kind !== 'unary');
    if (MATRIX[name]?.callers.includes(caller)) {
      // Whatever comes of an empty request: it was asked.
      expect([Code.PERMISSION_DENIED, Code.UNAUTHENTICATED, Code.UNIMPLEMENTED]).not.toContain(code);
    } else {
      expect([code, details]).toEqual([Code.PERMISSION_DENIED, expect.stringContaining('scope')]);
    }
  });
});

describe.each(METHODS.filter(({ name }) => MATRIX[name]?.self !== undefined))(
  'a tenant asks $name',
  ({ name, path, kind }) => {
    const endless = kind !== 'unary';
    const request = MATRIX[name]!.self!;
    /** What a client can tell of an answer, without the id that it asked for and the id of the call. */
    const answer = async (tenant: string, key: string) => {
      const { code, details, metadata } = await world.call('tenant_keys', path, request({ tenant, key }), endless);
      const told = code === Code.OK || code === Code.CANCELLED ? undefined : readDetails(metadata);
      const text = JSON.stringify([code, details, told]).replaceAll(tenant, 'TENANT').replaceAll(key, 'KEY');
      return text.replaceAll(told?.info?.metadata.request_id ?? 'none', 'REQUEST');
    };

    test('about itself: answered', async () => {
      const { apiKey } = await world.createKey('alpha', ['books.read']);
      // A stream is there until it is cancelled.
      const answered = endless ? [Code.CANCELLED, 'Cancelled on client', null] : [Code.OK, 'OK', null];
      expect(await answer('alpha', apiKey.id)).toBe(JSON.stringify(answered));
    });

    test('about another: as about one that does not exist', async () => {
      const { apiKey } = await world.createKey('beta', ['books.read']);
      const another = await answer('beta', apiKey.id);
      expect(another).toBe(await answer('nobody', 'absent'));
      expect(JSON.parse(another)[0]).toBe(Code.NOT_FOUND);
      expect(await world.admin.keysOf('beta')).toContain(apiKey.id);
    });
  },
);
