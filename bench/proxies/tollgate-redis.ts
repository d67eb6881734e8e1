import { join } from 'node:path';
import type { Contender } from './proxy.ts';
import { redisVersion, startRedis } from './redis.ts';
import { startTollgate, tollgateVersion } from './tollgate.ts';

/** The same gateway with the same configuration, but for its store: what limits for a whole fleet cost it. */
export const tollgateRedis: Contender = {
  name: 'Tollgate-Redis',
  does: 'the same with limits, quotas, breakers and configuration in Redis, as one of a fleet; without the CPU of Redis',
  install: 'Debian package redis-server',
  authenticates: true,
  version() {
    const redis = redisVersion();
    const own = tollgateVersion();
    return redis === undefined || own === undefined ? undefined : `${own} with Redis ${redis}`;
  },
  async start(setup) {
    const port = await startRedis(setup);
    const data = join(setup.folder, 'data');
    return startTollgate('tollgate-redis', setup, { redis: { url: `redis://127.0.0.1:${port}`, data } });
  },
};
