import { Cluster } from 'ioredis';
import type { RedisClient } from './connect.ts';

/**
 * Looks whether Redis is set up to keep what it is given.
 * @returns what is wrong and what to do, one text each; nothing when it could not be asked
 */
export async function checkServer(client: RedisClient): Promise<string[]> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  const found = await Promise.all(nodes.map(checkNode));
  return [...new Set(found.flat())];
}

async function checkNode(node: Pick<RedisClient, 'info' | 'call'>): Promise<string[]> {
  let facts: ReadonlyMap<string, string>;
  try {
    facts = parseInfo(await node.info());
  } catch {
    // Not allowed to ask, or just gone: what matters shows by itself.
    return [];
  }
  const wrong: string[] = [];
  const version = facts.get('redis_version') ?? '';
  if (Number.parseInt(version, 10) < 7) wrong.push(`Redis ${version} is too old: use 7.0 or later`);
  if (facts.get('aof_enabled') === '0') {
    wrong.push(
      'Redis forgets on a restart (appendonly is off): configuration and used quotas would be lost. Set "appendonly yes"',
    );
  } else if ((await fsyncOf(node)) === 'no') {
    wrong.push('Redis writes its file when the system likes (appendfsync no): set "appendfsync everysec" or "always"');
  }
  const policy = facts.get('maxmemory_policy') ?? 'noeviction';
  if (facts.get('maxmemory') !== '0' && policy !== 'noeviction') {
    wrong.push(`Redis drops keys when its memory is full (${policy}): set "maxmemory-policy noeviction"`);
  }
  if (facts.get('role') === 'slave')
    wrong.push('Redis is a replica and takes no changes: give the address of the master');
  return wrong;
}

/** Managed servers often do not tell. */
async function fsyncOf(node: Pick<RedisClient, 'call'>): Promise<string | undefined> {
  try {
    const reply = await node.call('CONFIG', ['GET', 'appendfsync']);
    return Array.isArray(reply) ? String(reply[1]) : undefined;
  } catch {
    return undefined;
  }
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  const pairs = text.matchAll(/^([a-z0-9_]+):(.*?)\r?$/gm);
  return new Map([...pairs].map(([, name, value]) => [name ?? '', value ?? '']));
}
