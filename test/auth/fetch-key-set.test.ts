import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchKeySet } from '../../src/auth/jwt/fetch-key-set.ts';
import { KeySources } from '../../src/auth/jwt/key-sources.ts';
import type { KeyPlace } from '../../src/sync/trusted-names.ts';
import { AUTHORITY_PEM, PAIRS } from '../support/tls-files.ts';
import { TokenIssuer } from '../support/token-issuer.ts';

const NEVER = new AbortController().signal;
const HTTP = { httpHosts: new Set<string>(), ca: undefined };
const place = (text: string, kind: KeyPlace['kind'] = 'url'): KeyPlace => ({ id: `${kind} ${text}`, kind, text });

let issuer: TokenIssuer;
beforeEach(async () => {
  issuer = await new TokenIssuer().start();
});
afterEach(() => issuer.stop());

const fetched = (kind: KeyPlace['kind'] = 'url') =>
  fetchKeySet(place(kind === 'url' ? issuer.jwksUrl : issuer.url, kind), HTTP, NEVER);

describe('a key set is fetched', () => {
  it('from its URL, and by what the issuer’s metadata says', async () => {
    expect(await fetched()).toBe(issuer.keySet);
    expect(await fetched('discovery')).toBe(issuer.keySet);
    expect([issuer.fetches, issuer.discoveries]).toEqual([2, 1]);
  });

  it('over TLS, from a server that an authority of the operator’s choice vouches for', async () => {
    const secure = await new TokenIssuer(undefined, PAIRS.gateway).start();
    expect(await fetchKeySet(place(secure.jwksUrl), { ...HTTP, ca: AUTHORITY_PEM }, NEVER)).toBe(secure.keySet);
    await expect(fetchKeySet(place(secure.jwksUrl), HTTP, NEVER)).rejects.toThrow(/certificate/);
    const other = await new TokenIssuer(undefined, PAIRS.shop).start();
    await expect(fetchKeySet(place(other.jwksUrl), { ...HTTP, ca: AUTHORITY_PEM }, NEVER)).rejects.toThrow(/altnames/);
    expect([secure.fetches, other.fetches]).toEqual([1, 0]);
    await other.stop();
    await secure.stop();
  });
});

describe('nothing is taken from', () => {
  it('a server that sends us elsewhere', async () => {
    const bait = await new TokenIssuer().start();
    for (const code of [301, 302, 303, 307, 308]) {
      issuer.answer = (_request, response) => void response.writeHead(code, { location: bait.jwksUrl }).end();
      await expect(fetched()).rejects.toThrow('redirects, which is not followed');
    }
    expect(bait.fetches).toBe(0);
    await bait.stop();
  });

  it('one that answers with an error, too much, or compressed', async () => {
    const answers: [RequestListener, string][] = [
      [(_request, response) => void response.writeHead(404).end('{"keys":[]}'), 'answers with status 404'],
      [(_request, response) => void response.writeHead(204).end(), 'answers with status 204'],
      [(_request, response) => void response.end('x'.repeat(300_000)), 'answers with more than 262144 octets'],
      [
        (_request, response) =>
          void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(10_000_000))),
        'compresses',
      ],
    ];
    for (const [answer, message] of answers) {
      issuer.answer = answer;
      await expect(fetched()).rejects.toThrow(message);
    }
  });

  it('one that answers without an end: the rest is not waited for', async () => {
    const closed = Promise.withResolvers<void>();
    issuer.answer = (request, response) => {
      request.socket.on('close', () => closed.resolve());
      const pour = () => {
        while (response.write('x'.repeat(65_536)));
        response.once('drain', pour);
      };
      pour();
    };
    await expect(fetched()).rejects.toThrow('more than 262144 octets');
    await closed.promise;
  });

  it('one that does not answer, once we have had enough', async () => {
    const asked = Promise.withResolvers<void>();
    issuer.answer = () => asked.resolve();
    const enough = new AbortController();
    const answer = fetchKeySet(place(issuer.jwksUrl), HTTP, enough.signal);
    await asked.promise;
    enough.abort();
    await expect(answer).rejects.toThrow(/abort/i);
  });

  it('the metadata of another issuer, or metadata without keys', async () => {
    for (const [body, message] of [
      ['{"issuer": "https://other.test", "jwks_uri": "http://127.0.0.1:1/"}', 'is the metadata of another issuer'],
      ['[]', 'is the metadata of another issuer'],
      ['not json', 'JSON'],
    ] as const) {
      const server = createServer((_request, response) => void response.end(body)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      await expect(fetchKeySet(place(`http://127.0.0.1:${port}`, 'discovery'), HTTP, NEVER)).rejects.toThrow(message);
      server.close();
    }
  });

  it('an address that holds the metadata service of a cloud, or over http from another machine', async () => {
    for (const [url, message] of [
      ['https://169.254.169.254/latest', 'is link-local'],
      ['https://[::ffff:a9fe:a9fe]/', 'is link-local'],
      ['https://2852039166/', 'is link-local'],
      ['https://0/', 'is unspecified'],
      ['http://login.test/keys', 'name login.test in authentication.http_hosts'],
      ['http://169.254.169.254/', 'name 169.254.169.254 in authentication.http_hosts'],
      ['ftp://127.0.0.1/', 'is no http URL'],
      ['file:///etc/passwd', 'is no http URL'],
    ] as const) {
      await expect(fetchKeySet(place(url), HTTP, NEVER)).rejects.toThrow(message);
    }
    const allowed = { ...HTTP, httpHosts: new Set(['169.254.169.254']) };
    await expect(fetchKeySet(place('http://169.254.169.254/'), allowed, NEVER)).rejects.toThrow('is link-local');
  });
});

describe('key sets', () => {
  it('are fetched no more when the gateway stops, and what is under way ends', async () => {
    const gone = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    issuer.answer = (request) => {
      request.socket.on('close', () => gone.resolve());
      asked.resolve();
    };
    const failures: unknown[] = [];
    const sources = new KeySources({
      now: () => 0,
      refreshMs: 1,
      maxAgeMs: 1,
      fetch: (where, signal) => fetchKeySet(where, HTTP, signal),
      onFailure: (_place, error) => void failures.push(error),
    });
    const key = Promise.resolve(sources.of(place(issuer.jwksUrl))({ alg: 'ES256' }, { payload: '', signature: '' }));
    await asked.promise;
    sources.close();
    await expect(key).rejects.toThrow('cannot be had');
    await gone.promise;
    expect(failures).toEqual([]);
  });
});
