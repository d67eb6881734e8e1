import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { fetchKeySet } from '../../src/auth/jwt/fetch-key-set.ts';
import { KeySources } from '../../src/auth/jwt/key-sources.ts';
import { TokenVerifier } from '../../src/auth/jwt/token-verifier.ts';
import type { Call } from '../../src/chain/call.ts';
import { credentialInvalid, credentialUnverified } from '../../src/chain/refusal.ts';
import { newSigningKey, signToken, TokenIssuer, unsignedToken } from '../support/token-issuer.ts';
import { tenant } from '../tenants/support.ts';
import { AuthFixture } from './support.ts';

const INVALID = credentialInvalid();
const UNVERIFIED = credentialUnverified();
const SECOND = 1000;
const MINUTE = 60 * SECOND;

let issuer: TokenIssuer;
let fixture: AuthFixture;
let sources: KeySources;
let failures: string[];
/** Both clocks go together. */
let clock: { ms: number };

async function open(refreshMs = 5 * MINUTE, maxAgeMs = 60 * MINUTE): Promise<void> {
  const now = () => clock.ms;
  failures = [];
  sources = new KeySources({
    now,
    refreshMs,
    maxAgeMs,
    fetch: (place, signal) => fetchKeySet(place, { httpHosts: new Set(), ca: undefined }, signal),
    onFailure: (_place, error) => void failures.push(error instanceof Error ? error.message : String(error)),
  });
  const verifier = new TokenVerifier({ keys: sources, now });
  fixture = await AuthFixture.open({ verifier, tokenCacheMs: 5 * MINUTE });
  clock = fixture.registry.folder.clock;
  // As real as a real server's, for tokens and keys are not of a test's making alone.
  clock.ms = Date.now();
  issuer.now = () => clock.ms / 1000;
}

beforeEach(async () => {
  issuer = await new TokenIssuer([newSigningKey('ES256', 'first')]).start();
  await open();
});
afterEach(async () => {
  sources.close();
  await fixture.close();
  await issuer.stop();
});

const own = () => ({ issuer: issuer.url, keys: { $case: 'jwksUrl', jwksUrl: issuer.jwksUrl } }) as const;

async function admitted(token: string): Promise<Call> {
  const call = fixture.call(token);
  expect(await fixture.auth.admit(call)).toBeUndefined();
  return call;
}

describe('a token', () => {
  it('tells principal, tenant, plan and scopes', async () => {
    await fixture.trust([own()]);
    const call = await admitted(issuer.token({ sub: 'auth0|ann', scope: 'books.read books.write' }));
    expect(call.principal).toMatchObject({
      id: `127.0.0.1-${issuer.port}:auth0|ann`,
      tenantId: 'demo',
      scopes: new Set(['books.read', 'books.write']),
    });
    expect(call.tenant).toBe(call.snapshot.tenants.get('demo'));
    expect(call.plan?.id).toBe('free');
  });

  it('is verified once, whoever waits for it, and known afterwards without a look at it', async () => {
    await fixture.trust([own()]);
    const token = issuer.token();
    const calls = Array.from({ length: 50 }, () => fixture.call(token));
    await Promise.all(calls.map((call) => fixture.auth.admit(call)));
    expect(new Set(calls.map((call) => call.principal)).size).toBe(1);
    expect(issuer.fetches).toBe(1);
    expect(fixture.auth.admit(fixture.call(token))).toBeUndefined();
    expect(fixture.auth.admit(fixture.call('', { credential: { ...calls[0]!.credential, text: '' } }))).toBeUndefined();
    expect(fixture.auth.stats).toMatchObject({ positives: 1, negatives: 0 });
    expect(fixture.lookups).toBe(0);
  });

  it('of each algorithm is verified, with keys from a URL, by discovery, or given', async () => {
    issuer.keys = (['ES256', 'RS256', 'PS256', 'EdDSA'] as const).map((alg) => newSigningKey(alg, alg));
    const algorithms = issuer.keys.map(({ alg }) => alg);
    const places = [
      own().keys,
      { $case: 'discovery', discovery: true },
      { $case: 'jwks', jwks: issuer.keySet },
    ] as const;
    for (const keys of places) {
      await fixture.trust([{ issuer: issuer.url, keys, algorithms }]);
      for (const key of issuer.keys) {
        await admitted(signToken(issuer.parts({ jti: keys.$case }, { alg: key.alg, kid: key.kid }), key));
      }
    }
    expect([issuer.fetches, issuer.discoveries]).toEqual([2, 1]);
  });

  it('names callers by claims of the operator’s choice, and no two alike', async () => {
    await fixture.trust([
      {
        ...own(),
        name: 'corp',
        subjectClaim: 'https://corp.test/uid',
        scopesClaim: 'realm.roles',
        allowedScopes: ['a', 'tollgate.keys'],
      },
    ]);
    const principalOf = async (uid: string, roles: unknown) =>
      (await admitted(issuer.token({ 'https://corp.test/uid': uid, realm: { roles } }))).principal;
    expect(await principalOf('ann', ['a', 'b', 'tollgate.keys', 7])).toMatchObject({
      id: 'corp:ann',
      scopes: new Set(['a', 'tollgate.keys']),
    });
    const ids = [];
    for (const uid of ['ä b', '%C3%A4%20b', 'a,b', 'a\r\nx-tenant-id: root', 'system:serviceaccount:x:y']) {
      ids.push((await principalOf(uid, 'a b'))?.id);
    }
    expect(ids).toEqual([
      'corp:%C3%A4%20b',
      'corp:%25C3%25A4%2520b',
      'corp:a%2Cb',
      'corp:a%0D%0Ax-tenant-id:%20root',
      'corp:system:serviceaccount:x:y',
    ]);
  });

  it('gives no scope of the gateway itself, unless an owner has said so', async () => {
    await fixture.trust([own()]);
    const { principal } = await admitted(issuer.token({ scp: ['a', 'tollgate.owner', 'tollgate.keys', 'no scope'] }));
    expect(principal?.scopes).toEqual(new Set(['a']));
    const refused = fixture.trust([{ ...own(), allowedScopes: ['tollgate.owner'] }]);
    await expect(refused).rejects.toThrow('tenant.issuers[0].allowed_scopes[0]');
  });

  it('may come without typ, or be of another type, where the issuer says so', async () => {
    await fixture.trust([{ ...own(), types: ['my+jwt'], typeOptional: true }]);
    await admitted(issuer.token({}, { typ: undefined }));
    await admitted(issuer.token({}, { typ: 'application/My+JWT' }));
    expect(await fixture.admit(issuer.token())).toBe(INVALID);
  });

  it('may not be older than the issuer’s tokens may be, nor from the future; exp is never stretched', async () => {
    await fixture.trust([
      { ...own(), maxTokenAge: { seconds: 60, nanos: 0 }, clockTolerance: { seconds: 20, nanos: 0 } },
    ]);
    const now = Math.floor(clock.ms / 1000);
    await admitted(issuer.token({ iat: now - 79 }));
    await admitted(issuer.token({ iat: now + 19, nbf: now + 19 }));
    for (const claims of [
      { iat: now - 82 },
      { iat: now + 22 },
      { iat: undefined },
      { nbf: now + 22 },
      { iat: now - 30, nbf: now - 30, exp: now },
    ]) {
      expect([claims, await fixture.admit(issuer.token(claims))]).toEqual([claims, INVALID]);
    }
  });

  it('is that of the tenant whom its claim names, where tenants share an issuer', async () => {
    await fixture.registry.manager.createTenant({ tenantId: 'other', tenant: tenant() });
    await fixture.trust([{ ...own(), tenantClaim: 'org', audiences: ['a'] }]);
    await fixture.trust([{ ...own(), tenantClaim: 'org', tenantValue: 'o2', audiences: ['b'] }], [], 'other');
    expect((await admitted(issuer.token({ org: 'demo', aud: 'a' }))).tenant?.id).toBe('demo');
    expect((await admitted(issuer.token({ org: 'o2', aud: 'b' }))).tenant?.id).toBe('other');
    for (const claims of [
      { org: 'o2', aud: 'a' },
      { org: 'other', aud: 'b' },
      { aud: 'a' },
      { org: ['demo'], aud: 'a' },
    ]) {
      expect(await fixture.admit(issuer.token(claims))).toBe(INVALID);
    }
    expect(issuer.fetches).toBe(1);
    const taken = fixture.trust([own()], [], 'other');
    await expect(taken).rejects.toThrow('with another tenant_claim, or without one');
  });
});

describe('a token that was accepted ends', () => {
  it('at its exp, memo or not', async () => {
    await fixture.trust([own()]);
    const exp = Math.floor(clock.ms / 1000) + 60;
    const call = await admitted(issuer.token({ exp }));
    clock.ms = exp * 1000 - 1;
    expect(fixture.auth.admit(call)).toBeUndefined();
    clock.ms = exp * 1000;
    expect(await fixture.auth.admit(call)).toBe(INVALID);
    expect(await fixture.admit(call.credential.text)).toBe(INVALID);
  });

  it('with its issuer, at once; and no other change of the tenant makes it be verified again', async () => {
    await fixture.trust([own()]);
    const call = await admitted(issuer.token());
    const again = () =>
      fixture.auth.admit(fixture.call('', { credential: { ...call.credential, text: call.credential.text } }));
    await fixture.registry.manager.updateTenant({
      tenant: tenant({ id: 'demo', displayName: 'Demo' }),
      updateMask: ['display_name'],
    });
    const next = fixture.call('', { credential: call.credential });
    expect(fixture.auth.admit(next)).toBeUndefined();
    expect(next.tenant?.displayName).toBe('Demo');
    expect(next.principal).toBe(call.principal);
    await fixture.trust([{ ...own(), audiences: ['other'] }]);
    expect(await again()).toBe(INVALID);
    await fixture.trust([own()]);
    expect(await again()).toBeUndefined();
    await fixture.trust([]);
    expect(await again()).toBe(INVALID);
  });

  it('with its tenant', async () => {
    await fixture.trust([own()]);
    const call = await admitted(issuer.token());
    const set = (state: Tenant_State) =>
      fixture.registry.manager.updateTenant({ tenant: tenant({ id: 'demo', state }), updateMask: ['state'] });
    await set(Tenant_State.STATE_SUSPENDED);
    expect(await fixture.admit(call.credential.text)).toBe(INVALID);
    await set(Tenant_State.STATE_ACTIVE);
    expect(await fixture.admit(call.credential.text)).toBeUndefined();
    await fixture.registry.manager.deleteTenant({ id: 'demo', etag: '' });
    expect(await fixture.admit(call.credential.text)).toBe(INVALID);
  });

  it('after some minutes is verified again: by then its key may be gone', async () => {
    await fixture.trust([own()]);
    const call = await admitted(issuer.token({ exp: clock.ms / 1000 + 3600 }));
    issuer.keys = [newSigningKey('ES256', 'second')];
    clock.ms += 5 * MINUTE - 1;
    expect(fixture.auth.admit(call)).toBeUndefined();
    clock.ms += 1;
    // By the old keys once more, which are fetched anew meanwhile.
    expect(await fixture.auth.admit(call)).toBeUndefined();
    await expect.poll(() => issuer.fetches).toBe(2);
  });
});

describe('a token that was refused', () => {
  it('is accepted as soon as a tenant trusts its issuer', async () => {
    const token = issuer.token();
    expect(await fixture.admit(token)).toBe(INVALID);
    await fixture.trust([own()]);
    expect(await fixture.admit(token)).toBeUndefined();
  });

  it('was not looked for in the store: no key has that form', async () => {
    await fixture.admit(issuer.token());
    expect(fixture.lookups).toBe(0);
  });
});

describe('keys of an issuer', () => {
  /** Of some form; nobody looks at its signature. */
  const unknown = (i: number) => `${unsignedToken(issuer.parts({}, { kid: `unknown-${i}` }))}${'A'.repeat(86)}`;

  it('are asked for once in 30 s, however many tokens name keys that nobody knows', async () => {
    await fixture.trust([own()]);
    await admitted(issuer.token());
    // A second of a flood, once within the 30 s, and once beyond.
    for (const [wait, fetches] of [
      [0, 1],
      [29 * SECOND, 1],
      [SECOND, 2],
      [29.9 * SECOND, 2],
      [0.1 * SECOND, 3],
    ] as const) {
      clock.ms += wait;
      const flood = Array.from({ length: 10_000 }, (_, i) => unknown(i + clock.ms));
      const verdicts = await Promise.all(flood.map((token) => fixture.admit(token)));
      expect(verdicts.filter((verdict) => verdict !== INVALID && verdict !== UNVERIFIED)).toEqual([]);
      expect([clock.ms, issuer.fetches]).toEqual([clock.ms, fetches]);
    }
    await admitted(issuer.token({ jti: 'still fine' }));
  });

  it('are asked for no more often while the issuer fails', async () => {
    await fixture.trust([own()]);
    issuer.answer = (_request, response) => void response.writeHead(500).end();
    for (const fetches of [1, 1, 1, 2]) {
      expect(await fixture.admit(issuer.token({ jti: `${clock.ms}` }))).toBe(UNVERIFIED);
      expect(issuer.fetches).toBe(fetches);
      clock.ms += 10 * SECOND;
    }
    expect(failures).toEqual(new Array(2).fill(`${issuer.url} answers with status 500`));
    issuer.answer = undefined;
    clock.ms += 30 * SECOND;
    await admitted(issuer.token());
  });

  it('that are new are found when a token names one', async () => {
    await fixture.trust([own()]);
    await admitted(issuer.token());
    issuer.keys = [newSigningKey('ES256', 'second'), ...issuer.keys];
    clock.ms += 30 * SECOND;
    const calls = Array.from({ length: 20 }, (_, i) => admitted(issuer.token({ jti: `${i}` })));
    await Promise.all(calls);
    expect(issuer.fetches).toBe(2);
  });

  it('are fetched anew before they age out, and nobody waits for it', async () => {
    await fixture.trust([own()]);
    await admitted(issuer.token());
    clock.ms += 5 * MINUTE;
    const gate = Promise.withResolvers<void>();
    issuer.answer = (_request, response) => void gate.promise.then(() => response.end(issuer.keySet));
    await admitted(issuer.token({ jti: 'does not wait' }));
    gate.resolve();
    await expect.poll(() => issuer.fetches).toBe(2);
  });

  it('are used while the issuer is away, up to a limit', async () => {
    await fixture.trust([own()]);
    await admitted(issuer.token());
    issuer.answer = (request) => void request.socket.destroy();
    clock.ms += 60 * MINUTE - 1;
    await admitted(issuer.token({ jti: 'old keys' }));
    await expect.poll(() => failures.length).toBe(1);
    clock.ms += 30 * SECOND;
    expect(await fixture.admit(issuer.token({ jti: 'too old' }))).toBe(UNVERIFIED);
    issuer.answer = undefined;
    clock.ms += 30 * SECOND;
    await admitted(issuer.token({ jti: 'back' }));
  });

  it('without names are found if there is one that fits', async () => {
    issuer.keys = [newSigningKey('EdDSA', 'a'), newSigningKey('ES256', 'b')];
    await fixture.trust([own()]);
    await admitted(signToken(issuer.parts({}, { alg: 'EdDSA', kid: undefined }), issuer.keys[0]!));
    issuer.keys = [newSigningKey('EdDSA', 'a'), newSigningKey('EdDSA', 'b')];
    clock.ms += 60 * MINUTE;
    expect(await fixture.admit(issuer.token({}, { kid: undefined }))).toBe(INVALID);
  });
});
