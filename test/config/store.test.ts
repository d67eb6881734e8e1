import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseConfig } from '../../src/config/load.ts';
import { toSettings } from '../../src/config/settings.ts';

const env = { REDIS_PASSWORD: 'secret' };

function load(store: string, more = '') {
  const text = `listeners: [{ name: a, address: "127.0.0.1:1" }]\nstore: ${store}\n${more}`;
  return toSettings(parseConfig(text, 'x.yaml', { env, baseDir: '/base' }), env);
}

function complaint(store: string): string {
  try {
    load(store);
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

describe('a store on Redis', () => {
  it('is one server, with defaults', () => {
    const settings = load('{ redis: { url: "redis://10.0.0.1" } }');
    expect(settings.storePath).toBe('/base/data/replica.db');
    expect(settings.redis).toEqual({
      kind: 'single',
      nodes: [{ host: '10.0.0.1', port: 6379 }],
      database: 0,
      username: undefined,
      password: undefined,
      sentinel: undefined,
      tls: undefined,
      keyPrefix: 'tollgate:',
    });
  });

  it('is a Cluster over TLS with an ACL user', () => {
    const redis = `{ urls: ["rediss://a:7000", "rediss://[::1]:7001"], cluster: true, username: gate,
      password_from_env: REDIS_PASSWORD, key_prefix: "eu:", data: ./own }`;
    expect(load(`{ redis: ${redis} }`)).toMatchObject({
      storePath: '/base/own/replica.db',
      redis: {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 7000 },
          { host: '::1', port: 7001 },
        ],
        username: 'gate',
        password: 'secret',
        tls: { ca: undefined, serverName: undefined },
        keyPrefix: 'eu:',
      },
    });
  });

  it('is found by Sentinels', () => {
    const redis = '{ urls: ["redis://s1:26379/2", "redis://s2:26379/2"], sentinel: { master: main } }';
    expect(load(`{ redis: ${redis} }`).redis).toMatchObject({
      kind: 'sentinel',
      database: 2,
      sentinel: { master: 'main' },
    });
  });

  it('says what a plan does while it is silent', () => {
    const { plans } = load(
      '{ redis: { url: "redis://r" } }',
      'plans: [{ name: p, when_store_silent: closed }, { name: q }]',
    );
    expect(plans.map(({ whenStoreSilent }) => whenStoreSilent)).toEqual(['closed', undefined]);
  });

  it.for([
    ['{ redis: {} }', 'there is no address'],
    ['{ redis: { url: "http://r" } }', 'redis://host:port'],
    ['{ redis: { url: "redis://u:p@r" } }', 'a password does not stand in the file'],
    ['{ redis: { url: "redis://r/x" } }', 'number of a database'],
    ['{ redis: { urls: ["redis://a", "redis://b"] } }', 'several addresses'],
    ['{ redis: { url: "redis://a", urls: ["redis://b"] } }', 'exclude each other'],
    ['{ redis: { url: "redis://a", cluster: true, sentinel: { master: m } } }', 'a Cluster has no Sentinels'],
    ['{ redis: { url: "redis://a/1", cluster: true } }', 'database 0 only'],
    ['{ redis: { url: "redis://a", password_from_env: NO_SUCH } }', 'the environment has no NO_SUCH'],
    ['{ redis: { url: "redis://a", key_prefix: "a{b}" } }', 'key_prefix'],
    ['{ redis: { url: "redis://a", tls: { ca: none.pem } } }', 'is not there'],
    ['{ redis: { url: "redis://a" }, embedded: { path: x } }', 'exclude each other'],
  ])('%s is refused: %s', ([store, message]) => {
    expect(complaint(store!)).toContain(message);
  });
});
