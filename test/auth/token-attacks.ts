import {
  macToken,
  newSigningKey,
  type SigningKey,
  signToken,
  type TokenIssuer,
  unsignedToken,
} from '../support/token-issuer.ts';

/** A server that must never be asked. */
export interface Bait {
  readonly url: string;
}

export interface Attack {
  readonly name: string;
  readonly token: string;
}

/**
 * Every attack on tokens of RFC 8725, and what else a token can be wrong by.
 * @param rsa a key of the issuer with RS256; the first one is that of good tokens
 */
export function tokenAttacks(issuer: TokenIssuer, rsa: SigningKey, bait: Bait): Attack[] {
  const key = issuer.keys[0]!;
  const now = Math.floor(issuer.now());
  const own = newSigningKey('ES256', 'attacker');
  const signed = (claims: Record<string, unknown>, header: Record<string, unknown> = {}) =>
    issuer.token(claims, header);
  const forged = (header: Record<string, unknown>) => signToken(issuer.parts({}, header), own);
  const raw = (header: string, claims: string) => signToken({ header, claims }, key);
  const good = issuer.parts();
  const [header, claims] = [JSON.stringify(good.header), JSON.stringify(good.claims)];
  const twice = (json: string, member: string) => json.replace('{', `{${member},`);
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
  const hs = issuer.parts({}, { alg: 'HS256', kid: rsa.kid });
  const [h, c, s] = issuer.token().split('.');

  const attacks: Record<string, string> = {
    // RFC 8725 section 2.1, 3.1, 3.2: algorithms.
    'alg: none': unsignedToken(issuer.parts({}, { alg: 'none' })),
    'alg: None': unsignedToken(issuer.parts({}, { alg: 'None' })),
    'alg: nOnE, with a signature': signed({}, { alg: 'nOnE' }),
    'alg: none, kid taken away': unsignedToken(issuer.parts({}, { alg: 'none', kid: undefined })),
    'no alg': signed({}, { alg: undefined }),
    'alg is no text': signed({}, { alg: ['ES256'] }),
    'HS256 by the public key (PEM)': macToken(hs, pem),
    'HS256 by the public key (PEM, trimmed)': macToken(hs, pem.toString().trim()),
    'HS256 by the public key (DER)': macToken(hs, rsa.publicKey.export({ type: 'spki', format: 'der' })),
    'HS256 by the public key (JWK)': macToken(hs, JSON.stringify(rsa.jwk)),
    'HS256 by nothing': macToken(hs, ''),
    'an algorithm that is not in the list': signToken(issuer.parts({}, { alg: 'PS256', kid: rsa.kid }), {
      ...rsa,
      alg: 'PS256',
    }),
    'the algorithm of another key': signed({}, { alg: 'RS256' }),
    'an RSA key by its name, for another algorithm': signed({}, { kid: rsa.kid }),
    // Section 3.3: signatures.
    'no signature': `${h}.${c}.`,
    'no signature, and no dot': `${h}.${c}`,
    'a signature of zeros (CVE-2022-21449)': `${h}.${c}.${Buffer.alloc(64).toString('base64url')}`,
    'a signature cut short': `${h}.${c}.${s?.slice(0, -8)}`,
    'the signature of other claims': `${h}.${issuer.token({ sub: 'bob' }).split('.')[1]}.${s}`,
    'the signature of another header': `${issuer.token({}, { x: 1 }).split('.')[0]}.${c}.${s}`,
    'a key of a stranger under a known kid': signToken(good, own),
    'a key of a stranger under its own kid': forged({ kid: own.kid }),
    'a key of a stranger without a kid': forged({ kid: undefined }),
    // Section 3.10: what a token says of its own key.
    jwk: forged({ jwk: own.jwk }),
    'jwk, with its kid': forged({ jwk: own.jwk, kid: own.kid }),
    'jwk in a good token': signed({}, { jwk: key.jwk }),
    jku: forged({ jku: `${bait.url}/keys`, kid: own.kid }),
    'jku in a good token': signed({}, { jku: issuer.jwksUrl }),
    x5u: forged({ x5u: `${bait.url}/keys`, kid: own.kid }),
    x5c: forged({ x5c: [own.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] }),
    'kid as a path': forged({ kid: '../../../../../../dev/null' }),
    'kid as a path, HS256 by what is there': macToken(issuer.parts({}, { alg: 'HS256', kid: '/dev/null' }), ''),
    'kid as SQL': forged({ kid: "x' UNION SELECT 'a" }),
    'kid as a command': forged({ kid: '| curl http://127.0.0.1 #' }),
    'kid as a URL': forged({ kid: `${bait.url}/keys` }),
    'kid of 10 KB': forged({ kid: 'k'.repeat(10_240) }),
    'kid of 1 KB': forged({ kid: 'k'.repeat(1024) }),
    'kid is a number': forged({ kid: 1 }),
    'kid is __proto__': forged({ kid: '__proto__' }),
    // RFC 7515 section 4.1.11.
    'crit of what nobody knows': signed({}, { crit: ['x'], x: 1 }),
    'crit of what is there': signed({}, { crit: ['typ'] }),
    'crit, empty': signed({}, { crit: [] }),
    'b64: false': signed({}, { b64: false, crit: ['b64'] }),
    'b64 without crit': signed({}, { b64: false }),
    // Section 3.8, 3.9: issuer, audience.
    'another issuer': signed({ iss: 'https://other.test' }),
    'an issuer with a slash more': signed({ iss: `${issuer.url}/` }),
    'no issuer': signed({ iss: undefined }),
    'a list of issuers': signed({ iss: [issuer.url] }),
    'another audience': signed({ aud: 'bank' }),
    'an audience that only begins so': signed({ aud: 'shop2' }),
    'an audience in another case': signed({ aud: 'Shop' }),
    'other audiences': signed({ aud: ['bank', 'post'] }),
    'no audience': signed({ aud: undefined }),
    'an audience that is no text': signed({ aud: { shop: true } }),
    // Section 3.11: typ.
    'a token of another kind': signed({}, { typ: 'dpop+jwt' }),
    'a token of another kind, in full': signed({}, { typ: 'application/secevent+jwt' }),
    'no typ': signed({}, { typ: undefined }),
    'typ is no text': signed({}, { typ: ['JWT'] }),
    // Times.
    'exp as a text': signed({ exp: String(now + 300) }),
    'exp as a date': signed({ exp: new Date((now + 300) * 1000).toISOString() }),
    'exp: null': signed({ exp: null }),
    'exp: true': signed({ exp: true }),
    'exp in a list': signed({ exp: [now + 300] }),
    'no exp': signed({ exp: undefined }),
    'exp in the past': signed({ exp: now - 1 }),
    'exp of now': signed({ exp: now }),
    'exp below zero': signed({ exp: -1 }),
    'exp beyond all numbers': raw(header, claims.replace(/"exp":\d+/, '"exp":1e999')),
    'nbf to come': signed({ nbf: now + 3600 }),
    'nbf as a text': signed({ nbf: String(now) }),
    'iat as a text': signed({ iat: String(now) }),
    // RFC 8725 section 2.4, RFC 7519 section 4: twice the same.
    'aud twice, ours last': raw(header, twice(claims, '"aud":"bank"')),
    'aud twice, ours first': raw(header, claims.replace(/}$/, ',"aud":"shop"}')),
    'exp twice': raw(header, twice(claims, `"exp":${now + 9000}`)),
    'sub twice, once escaped': raw(header, twice(claims, '"s\\u0075b":"root"')),
    'alg twice': raw(twice(header, '"alg":"none"'), claims),
    'a claim twice, deep down': raw(header, twice(claims, '"x":[{"a":1,"a":2}]')),
    // Subjects.
    'no subject': signed({ sub: undefined }),
    'an empty subject': signed({ sub: '' }),
    'a subject that is a number': signed({ sub: 7 }),
    'a subject of half a character': raw(header, claims.replace('"ann"', '"\\ud800"')),
    'a subject of 300 characters': signed({ sub: 'x'.repeat(300) }),
    // Forms.
    'claims that are no JSON': raw(header, 'exp=1'),
    'claims that are a list': raw(header, '[]'),
    'a header that is no object': raw('"e"', claims),
    'claims that are no UTF-8': signToken({ header, claims: '' }, key).replace(
      '..',
      `.${Buffer.from([123, 255, 125]).toString('base64url')}.`,
    ),
    'five parts, as of an encrypted token': `${h}.${c}.${s}.${s}.${s}`,
    'JSON instead of the compact form': JSON.stringify({ payload: c, protected: h, signature: s }),
    'a blank in it': `${h}. ${c}.${s}`,
    padding: `${h}=.${c}.${s}`,
    'base64 instead of base64url': `${h}.${c}.${'+/'.repeat(43)}`,
    'two tokens': `${issuer.token()},${issuer.token()}`,
    // Section 2.4, 3.?: sizes.
    'of 9 KB': signed({ x: 'x'.repeat(6900) }),
    'of 20 KB': signed({ x: 'x'.repeat(15_000) }),
    'of 30 KB, nested': raw(header, `${'{"a":'.repeat(4000)}1${'}'.repeat(4000)}`),
    'of 64 KB': signed({ x: 'x'.repeat(49_000) }),
  };
  return Object.entries(attacks).map(([name, token]) => ({ name, token }));
}
