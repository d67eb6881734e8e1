import { describe, expect, it } from 'vitest';
import { startRedis, startRedisCluster, startSentinel } from './redis-server.ts';

describe('Redis servers of the tests', () => {
  it('keep what was acknowledged when told so, and lose it when started empty', async () => {
    const redis = await startRedis({ durable: true });
    try {
      await redis.command('SET', 'a', '1');
      await redis.kill();
      await redis.restart();
      expect(await redis.command('GET', 'a')).toBe('1');
      await redis.restartEmpty();
      expect(await redis.command('GET', 'a')).toBeNull();
    } finally {
      await redis.stop();
    }
  });

  it('make a Cluster of three masters', async () => {
    const cluster = await startRedisCluster();
    try {
      expect(String(await cluster.masters[0]!.command('CLUSTER', 'INFO'))).toContain('cluster_size:3');
    } finally {
      await cluster.stop();
    }
  });

  it('fail over with a Sentinel', async () => {
    const set = await startSentinel();
    try {
      await set.failOver();
      expect(String(await set.replica.command('INFO', 'replication'))).toContain('role:master');
    } finally {
      await set.stop();
    }
  });
});
