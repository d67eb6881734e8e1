import { afterAll, beforeAll, describe } from 'vitest';
import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '../../support/redis-server.ts';
import { documentsContract } from '../contract/documents.ts';
import { documentsModel } from '../contract/documents-model.ts';
import { redisDocuments, redisSettings } from './support.ts';

describe('in one Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  const open = () => redisDocuments(redisSettings(redis.port));
  documentsContract(open);
  documentsModel(open);
});

describe('in a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());
  documentsContract(() => redisDocuments(redisSettings(0, { kind: 'cluster', nodes: cluster.nodes })));
});
