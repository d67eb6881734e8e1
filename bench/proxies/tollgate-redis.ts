import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { accepting, freePorts } from '../children.ts';
import { type Contender, findProgram, versionOf } from './proxy.ts';
import { startTollgate, tollgateVersion } from './tollgate.ts';

/** The same gateway with the same configuration, but for its store: what limits for a whole fleet cost it. */
export const tollgateRedis: Contender = {
  name: 'Tollgate-Redis',
  does: 'the same with limits, quotas, breakers and configuration in Redis, as one of a fleet; without the CPU of Redis',
  install: 'Debian package redis-server',
  authenticates: true,
  version() {
    const redis = versionOf(findProgram('redis-server'), '--version', /v=(\S+)/);
    const own = tollgateVersion();
    return redis === undefined || own === undefined ? undefined : `${own} with Redis ${redis}`;
  },
  async start(setup) {
    const [port] = await freePorts(1);
    const folder = join(setup.folder, 'redis');
    mkdirSync(folder);
    // As a fleet's should be: on disk, and nothing is ever evicted.
    const options = {
      port,
      bind: '127.0.0.1',
      dir: folder,
      save: '',
      appendonly: 'yes',
      'maxmemory-policy': 'noeviction',
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const redis = setup.children.start('redis', findProgram('redis-server')!, args);
    await accepting(redis, port!);
    const data = join(setup.folder, 'data');
    return startTollgate('tollgate-redis', setup, { redis: { url: `redis://127.0.0.1:${port}`, data } });
  },
};
