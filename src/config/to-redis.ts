import type { Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import type { RedisSettings } from '../store/redis/connect.ts';
import type { Environment } from './check-tenants.ts';

const DEFAULT_PREFIX = 'tollgate:';
const DEFAULT_PORT = 6379;

export interface RedisUrl {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly tls: boolean;
}

/** Parses `redis://host:port/db` and `rediss://`. @throws TypeError that says what is wrong */
export function parseRedisUrl(text: string): RedisUrl {
  const url = URL.parse(text);
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '') {
    throw new TypeError('redis://host:port or rediss://host:port is expected');
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError('a password does not stand in the file: use "username" and "password_from_env"');
  }
  const path = /^\/?(\d{0,4})$/.exec(url.pathname);
  if (path === null || url.search !== '' || url.hash !== '') {
    throw new TypeError('after host and port only the number of a database is expected');
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    database: Number(path[1] ?? ''),
    tls: url.protocol === 'rediss:',
  };
}

/** The store's settings, defaults filled in. @param file makes a path absolute. @throws TypeError (`checkStore` has looked) */
export function toRedis(redis: Store_Redis, file: (path: string) => string, env: Environment): RedisSettings {
  const urls = (redis.url === '' ? redis.urls : [redis.url]).map(parseRedisUrl);
  const path = (text: string | undefined) => (text === undefined || text === '' ? undefined : file(text));
  const secret = (name: string) => (name === '' ? undefined : env[name]);
  const { tls, sentinel } = redis;
  return {
    kind: redis.cluster ? 'cluster' : sentinel === undefined ? 'single' : 'sentinel',
    nodes: urls.map(({ host, port }) => ({ host, port })),
    database: urls[0]?.database ?? 0,
    username: redis.username || undefined,
    password: secret(redis.passwordFromEnv),
    sentinel: sentinel && {
      master: sentinel.master,
      username: sentinel.username || undefined,
      password: secret(sentinel.passwordFromEnv),
    },
    tls:
      tls === undefined && !urls.some((url) => url.tls)
        ? undefined
        : {
            ca: path(tls?.ca),
            serverName: tls?.serverName || undefined,
            cert: path(tls?.cert),
            key: path(tls?.key),
          },
    keyPrefix: redis.keyPrefix === '' ? DEFAULT_PREFIX : redis.keyPrefix,
  };
}
