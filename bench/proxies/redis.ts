import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { accepting, freePorts } from '../children.ts';
import { findProgram, type Setup, versionOf } from './proxy.ts';

export function redisVersion(): string | undefined {
  return versionOf(findProgram('redis-server'), '--version', /v=(\S+)/);
}

/** A Redis of the proxy's own. @returns its port, when it takes connections */
export async function startRedis(setup: Setup): Promise<number> {
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
  const redis = setup.children.start(`redis-${port}`, findProgram('redis-server')!, args);
  await accepting(redis, port!);
  return port!;
}
