import type { RedisConnection } from './connect.ts';

/** Where the configuration is. One hash tag: all of it lies on one node of a Cluster. */
export function documentKeys(connection: Pick<RedisConnection, 'key'>) {
  const key = (name: string) => connection.key(`{cfg}:${name}`);
  return {
    head: key('head'),
    documents: key('documents'),
    ids: key('ids'),
    hashes: key('hashes'),
    children: key('children'),
    references: key('references'),
    changes: key('changes'),
    gateways: key('gateways'),
    /** A stream of what was changed, and one of what was refused. */
    audit: key('audit'),
    refusals: key('audit-refusals'),
    /** Requests that were done, by their key, and when. */
    requests: key('requests'),
    requestTimes: key('request-times'),
    /** When keys were last used. */
    keyUses: key('key-uses'),
    /** There while a gateway writes everything anew. */
    restoring: key('restoring'),
    /** A channel: told of each new version. */
    changed: key('changed'),
  };
}
export type DocumentKeys = ReturnType<typeof documentKeys>;
