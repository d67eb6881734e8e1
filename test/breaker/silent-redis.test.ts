import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Code } from '../../src/grpc/status.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { failFor, type Member, nextProbe, openMember, until } from './fleet-fixture.ts';

// What shared breakers do when Redis goes away in the middle: each gateway is on its own, and comes back without a burst.

let redis: RedisServer;
let members: Member[] = [];

beforeEach(async () => {
  redis = await startRedis();
  members = await Promise.all(['g1', 'g2', 'g3'].map((name) => openMember(redis.node, name)));
});
afterEach(async () => {
  for (const member of members) member.die();
  await redis.stop();
});

const all = (phase: string) => () => members.every(({ breaker }) => breaker.phase === phase);
const silent = () => members.every(({ breaker }) => breaker.silent);
const heard = () => members.every(({ breaker }) => !breaker.silent);

async function open(): Promise<void> {
  failFor(members);
  await until(all('open'), 'open everywhere');
}

describe.each(['kill', 'freeze'] as const)('Redis silent (%s)', (how) => {
  const silence = async () => {
    if (how === 'kill') await redis.kill();
    else redis.signal('SIGSTOP');
  };
  const wake = async () => {
    if (how === 'kill') await redis.restartEmpty();
    else redis.signal('SIGCONT');
  };

  it('while closed: each breaker goes on by itself, and no call waits', async () => {
    await silence();
    expect(members.map((member) => member.call(Code.OK, 100))).toEqual([100, 100, 100]);
    await until(silent, 'silent');
    members[0]!.call(Code.UNAVAILABLE, 200);
    await until(() => members[0]!.breaker.state === 'open', 'its own breaker');
    expect(members.map(({ breaker }) => breaker.state)).toEqual(['open', 'closed', 'closed']);
    await until(() => members[0]!.call(Code.OK, 1) === 1, 'its own probe');
    await until(() => members[0]!.breaker.state === 'closed', 'closed');
    await wake();
    await until(heard, 'heard');
    for (const member of members) member.call(Code.UNAVAILABLE, 200);
    await until(all('open'), 'open everywhere');
  }, 15_000);

  it('while open: it stays open here, and each gateway finds out by its own probes', async () => {
    await open();
    await silence();
    expect(members.map((member) => member.call(Code.OK, 1))).toEqual([0, 0, 0]);
    await until(silent, 'silent');
    await until(() => members.every((member) => member.call(Code.OK, 1) === 1), 'probes of their own');
    await until(() => members.every(({ breaker }) => breaker.state === 'closed'), 'closed');
  }, 15_000);

  it('while half open: no more than one probe for each gateway, and the verdict counts for its own', async () => {
    await open();
    const probe = await nextProbe(members[0]!);
    await until(all('half_open'), 'half open everywhere');
    await silence();
    probe.settle(Code.UNAVAILABLE);
    await until(silent, 'silent');
    const probes = members.map(() => 0);
    await until(() => {
      members.forEach((member, i) => {
        if (member.admit() !== undefined) probes[i]!++;
      });
      return probes.every((count) => count > 0);
    }, 'probes of their own');
    expect(probes).toEqual([1, 1, 1]);
  }, 15_000);

  it('and back: what was isolated stays so meanwhile; admins are told that the store is silent', async () => {
    const [first] = members;
    await first!.breakers.isolate('shop');
    await until(all('isolated'), 'isolated everywhere');
    await silence();
    await until(silent, 'silent');
    expect(members.map((member) => member.call(Code.OK, 1))).toEqual([0, 0, 0]);
    expect(await first!.breakers.list()).toMatchObject([{ phase: 'isolated', storeSilent: true, gateways: [] }]);
    // One that is frozen does what it was asked when it wakes, answered or not.
    if (how === 'kill') await expect(first!.breakers.reset('shop')).rejects.toThrow();
    await wake();
    await until(heard, 'heard');
    // An emptied Redis has forgotten it.
    await until(all(how === 'kill' ? 'closed' : 'isolated'), 'what Redis says');
  }, 15_000);
});

describe('a Redis that comes back empty', () => {
  it('is told again that the backend fails, and nobody floods it', async () => {
    for (const member of members) member.die();
    members = await Promise.all(['g1', 'g2', 'g3'].map((name) => openMember(redis.node, name, { openForMs: 60_000 })));
    await open();
    await redis.restartEmpty();
    let admitted = 0;
    while ((await redis.command('HGET', 'tollgate:{b:shop}:state', 'phase')) !== 'open') {
      for (const member of members) admitted += member.call(Code.UNAVAILABLE, 1);
    }
    await until(all('open'), 'open everywhere');
    expect(admitted).toBe(0);
  }, 15_000);
});
