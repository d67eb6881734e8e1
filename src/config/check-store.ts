import type { Config, Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import type { CheckContext } from './check-context.ts';
import { complainOfTwins } from './check-references.ts';
import type { Environment } from './check-tenants.ts';
import type { Path } from './source.ts';
import { parseRedisUrl } from './to-redis.ts';

/** Where the state is: for Redis, addresses that are some, and what goes together. */
export function checkStore(context: CheckContext, config: Config, env: Environment): void {
  if (config.store?.kind?.$case !== 'redis') return;
  checkRedis(context, config.store.kind.redis, ['store', 'redis'], env);
}

function checkRedis({ source, files }: CheckContext, redis: Store_Redis, at: Path, env: Environment): void {
  const { url, urls, sentinel, tls } = redis;
  if (url === '' && urls.length === 0 && !source.isFaulty([...at, 'url']) && !source.isFaulty([...at, 'urls'])) {
    source.complain([...at, 'url'], 'there is no address', 'url: redis://127.0.0.1:6379');
  }
  if (url !== '' && urls.length > 0) source.complain([...at, 'urls'], '"url" and "urls" exclude each other');
  if (urls.length > 1 && !redis.cluster && sentinel === undefined) {
    source.complain([...at, 'urls'], 'several addresses are those of a Cluster or of Sentinels', 'add "cluster: true"');
  }
  if (redis.cluster && sentinel !== undefined) {
    source.complain([...at, 'sentinel'], 'a Cluster has no Sentinels', 'keep one of "cluster" and "sentinel"');
  }
  complainOfTwins(source, [...at, 'urls'], urls, 'address');
  checkUrl(source, [...at, 'url'], url);
  urls.forEach((one, index) => {
    checkUrl(source, [...at, 'urls', index], one);
  });
  const given = [url, ...urls].filter((one) => one !== '');
  if (redis.cluster && given.some((one) => /\/[1-9]\d*$/.test(one))) {
    source.complain([...at, url === '' ? 'urls' : 'url'], 'a Cluster has database 0 only');
  }
  checkPassword(source, [...at, 'password_from_env'], redis.passwordFromEnv, env);
  if (sentinel !== undefined)
    checkPassword(source, [...at, 'sentinel', 'password_from_env'], sentinel.passwordFromEnv, env);
  if (tls === undefined) return;
  for (const key of ['ca', 'cert', 'key'] as const) files.check([...at, 'tls', key], tls[key]);
  if ((tls.cert === '') !== (tls.key === '')) source.complain([...at, 'tls'], '"cert" and "key" go together');
}

function checkUrl(source: CheckContext['source'], path: Path, url: string): void {
  if (url === '') return;
  try {
    parseRedisUrl(url);
  } catch (error) {
    source.complain(path, error instanceof Error ? error.message : String(error), 'redis://127.0.0.1:6379');
  }
}

function checkPassword(source: CheckContext['source'], path: Path, name: string, env: Environment): void {
  if (name === '' || env[name]) return;
  source.complain(path, `the environment has no ${name}`, `export ${name}=...`);
}
