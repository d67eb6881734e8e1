import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientCertificate, Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { IdentityIndex } from '../../src/sync/identity-index.ts';
import type { Tenant } from '../../src/sync/snapshot.ts';
import { claimOf, nameOfIssuer, toCertifiedName, toTokenIssuer } from '../../src/sync/trusted-names.ts';

function tenant(id: string, issuers: Partial<Issuer>[], certificates: Partial<ClientCertificate>[] = []): Tenant {
  return {
    id,
    displayName: '',
    plan: 'free',
    suspended: false,
    issuers: issuers.map((issuer) => toTokenIssuer(id, Issuer.fromPartial(issuer))),
    certificates: certificates.map((name) => toCertifiedName(id, ClientCertificate.fromPartial(name))),
  };
}

const empty = IdentityIndex.empty();
const web = { name: 'web', san: { $case: 'uri', uri: 'spiffe://a/web' } } as const;

describe('whose a token is', () => {
  it('is told by its issuer', () => {
    const index = empty.change(
      [],
      [tenant('one', [{ issuer: 'a' }]), tenant('two', [{ issuer: 'b' }, { issuer: 'c' }])],
    );
    expect(['a', 'b', 'c', 'd', 7, undefined].map((iss) => index.issuerOf({ iss })?.tenantId)).toEqual([
      ...['one', 'two', 'two'],
      ...[undefined, undefined, undefined],
    ]);
  });

  it('is told by a claim where tenants share an issuer', () => {
    const tenants = [
      tenant('one', [{ issuer: 'a', tenantClaim: 'org' }]),
      tenant('two', [{ issuer: 'a', tenantClaim: 'org', tenantValue: 'zwei' }]),
    ];
    const index = empty.change([], tenants);
    const of = (org: unknown) => index.issuerOf({ iss: 'a', org })?.tenantId;
    expect([of('one'), of('zwei'), of('two'), of(['one']), of(undefined)]).toEqual([
      ...['one', 'two'],
      ...[undefined, undefined, undefined],
    ]);
    expect(tenants.map((one) => index.conflictOf(one))).toEqual([undefined, undefined]);
  });

  it('is nobody’s when two tenants claim it, and the other one’s again when one of them is gone', () => {
    const [one, two, three] = [
      tenant('one', [{ issuer: 'a' }]),
      tenant('two', [{ issuer: 'a' }]),
      tenant('three', [{ issuer: 'a', tenantClaim: 'org' }]),
    ];
    const both = empty.change([], [one, two]);
    expect(both.issuerOf({ iss: 'a' })).toBeUndefined();
    expect(both.conflictOf(two)).toMatchObject({
      list: 'issuers',
      index: 0,
      message: expect.stringContaining('"one"'),
    });
    const again = both.change([one], []);
    expect(again.issuerOf({ iss: 'a' })?.tenantId).toBe('two');
    const mixed = again.change([], [three]);
    expect(mixed.issuerOf({ iss: 'a', org: 'three' })).toBeUndefined();
    expect(mixed.conflictOf(three)).toMatchObject({ message: expect.stringContaining('another tenant_claim') });
  });

  it('stays the same until what was said of the issuer changes', () => {
    const before = tenant('one', [{ issuer: 'a', audiences: ['x'] }]);
    const index = empty.change([], [before]);
    const issuer = index.issuerOf({ iss: 'a' })!;
    // Read anew from the store, with another display name: equal, not the same.
    const renamed = { ...tenant('one', [{ issuer: 'a', audiences: ['x'] }]), displayName: 'One' };
    expect(index.change([before], [renamed])).toBe(index);
    expect(index.hasIssuer(issuer)).toBe(true);
    const changed = index.change([before], [tenant('one', [{ issuer: 'a', audiences: ['y'] }])]);
    expect(changed.hasIssuer(issuer)).toBe(false);
    expect(changed.generation).not.toBe(index.generation);
    expect(index.change([before], []).hasIssuer(issuer)).toBe(false);
  });
});

describe('whose a client certificate is', () => {
  it('is told by its name, exactly', () => {
    const index = empty.change([], [tenant('one', [], [web, { name: 'api', san: { $case: 'dns', dns: 'API.test' } }])]);
    const names = ['URI:spiffe://a/web', 'URI:spiffe://a/web/', 'DNS:api.test', 'DNS:x.api.test', 'DNS:spiffe://a/web'];
    expect(names.map((san) => index.certificateOf(san)?.name)).toEqual(['web', undefined, 'api', undefined, undefined]);
  });

  it('is nobody’s when it is claimed twice, by two tenants or by one', () => {
    const [one, two] = [tenant('one', [], [web]), tenant('two', [], [web])];
    const twice = tenant('one', [], [web, { ...web, name: 'again' }]);
    for (const tenants of [[one, two], [twice]]) {
      const index = empty.change([], tenants);
      expect(index.certificateOf('URI:spiffe://a/web')).toBeUndefined();
      expect(index.conflictOf(tenants[0]!)).toMatchObject({ list: 'client_certificates', index: 0 });
    }
  });
});

describe('the index', () => {
  it('is after any changes what it would be made anew', () => {
    const issuers = fc.uniqueArray(
      fc.record({ issuer: fc.constantFrom('a', 'b'), tenantClaim: fc.constantFrom('', 'org') }),
      { maxLength: 2, selector: ({ issuer }) => issuer },
    );
    const step = fc.record({
      id: fc.constantFrom('one', 'two', 'three'),
      issuers: fc.option(issuers),
      cert: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let index = empty;
        const tenants = new Map<string, Tenant>();
        for (const { id, issuers: given, cert } of steps) {
          const before = tenants.get(id);
          const after = given === null ? undefined : tenant(id, given, cert ? [web] : []);
          index = index.change(before ? [before] : [], after ? [after] : []);
          if (after === undefined) tenants.delete(id);
          else tenants.set(id, after);
          const fresh = empty.change([], [...tenants.values()]);
          for (const iss of ['a', 'b'])
            for (const org of ['one', 'two', 'three', undefined]) {
              expect(index.issuerOf({ iss, org })).toEqual(fresh.issuerOf({ iss, org }));
            }
          expect(index.certificateOf('URI:spiffe://a/web')).toEqual(fresh.certificateOf('URI:spiffe://a/web'));
          expect(index.hasNoIssuers).toBe(fresh.hasNoIssuers);
        }
      }),
    );
  });
});

describe('names', () => {
  it('of issuers are their hosts', () => {
    const names = ['https://Login.test/realms/a', 'https://kc.test:8443/', 'https://[::1]:8/', 'joe', ''];
    expect(names.map((issuer) => nameOfIssuer({ issuer, name: '' }))).toEqual([
      ...['login.test', 'kc.test-8443', '-1-8', 'joe', ''],
    ]);
    expect(nameOfIssuer({ issuer: 'https://login.test/', name: 'corp' })).toBe('corp');
  });

  it('of claims may be paths', () => {
    const claims = { 'https://a.b/c': 1, realm: { roles: ['x'] }, 'realm.roles2': 2 };
    expect(
      ['https://a.b/c', 'realm.roles', 'realm.roles2', 'realm.none', 'toString', 'realm.roles.length.x'].map((name) =>
        claimOf(claims, name),
      ),
    ).toEqual([...[1, ['x'], 2], ...[undefined, undefined, undefined]]);
  });
});
