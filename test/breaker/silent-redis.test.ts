import { describe, expect, it, type TestContext } from 'vitest';
import type { BreakerOptions } from '../../src/breaker/options.ts';
import { Code } from '../../src/grpc/status.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { failFor, type Member, nextProbe, openMember, until } from './fleet-fixture.ts';

// What shared breakers do when Redis goes away in the middle: each gateway is on its own, and comes back without a burst.

interface World {
  readonly redis: RedisServer;
  readonly members: readonly Member[];
  readonly all: (phase: string) => () => boolean;
  readonly silent: () => boolean;
  readonly heard: () => boolean;
  /** Opens the fleet. */
  readonly open: () => Promise<void>;
}

/** Three gateways on a Redis of the test's own. */
async function create(ctx: TestContext, options: Partial<BreakerOptions> = {}): Promise<World> {
  const redis = await startRedis();
  ctx.onTestFinished(() => redis.stop());
  const members = await Promise.all(['g1', 'g2', 'g3'].map((name) => openMember(redis.node, name, options)));
  ctx.onTestFinished(() => {
    for (const member of members) member.die();
  });
  const all = (phase: string) => () => members.every(({ breaker }) => breaker.phase === phase);
  return {
    redis,
    members,
    all,
    silent: () => members.every(({ breaker }) => breaker.silent),
    heard: () => members.every(({ breaker }) => !breaker.silent),
    open: async () => {
      failFor(members);
      await until(all('open'), 'open everywhere');
    },
  };
}

describe.concurrent.each(['kill', 'freeze'] as const)('Redis silent (%s)', (how) => {
  const silence = async ({ redis }: World) => {
    if (how === 'kill') await redis.kill();
    else redis.signal('SIGSTOP');
  };
  const wake = async ({ redis }: World) => {
    if (how === 'kill') await redis.restartEmpty();
    else redis.signal('SIGCONT');
  };

  it('while closed: each breaker goes on by itself, and no call waits', async (ctx) => {
    const w = await create(ctx);
    await silence(w);
    expect(w.members.map((member) => member.call(Code.OK, 100))).toEqual([100, 100, 100]);
    await until(w.silent, 'silent');
    w.members[0]!.call(Code.UNAVAILABLE, 200);
    await until(() => w.members[0]!.breaker.state === 'open', 'its own breaker');
    expect(w.members.map(({ breaker }) => breaker.state)).toEqual(['open', 'closed', 'closed']);
    await until(() => w.members[0]!.call(Code.OK, 1) === 1, 'its own probe');
    await until(() => w.members[0]!.breaker.state === 'closed', 'closed');
    await wake(w);
    await until(w.heard, 'heard');
    for (const member of w.members) member.call(Code.UNAVAILABLE, 200);
    await until(w.all('open'), 'open everywhere');
  });

  it('while open: it stays open here, and each gateway finds out by its own probes', async (ctx) => {
    const w = await create(ctx);
    await w.open();
    await silence(w);
    expect(w.members.map((member) => member.call(Code.OK, 1))).toEqual([0, 0, 0]);
    await until(w.silent, 'silent');
    await until(() => w.members.every((member) => member.call(Code.OK, 1) === 1), 'probes of their own');
    await until(() => w.members.every(({ breaker }) => breaker.state === 'closed'), 'closed');
  });

  it('while half open: no more than one probe for each gateway, and the verdict counts for its own', async (ctx) => {
    const w = await create(ctx);
    await w.open();
    const probe = await nextProbe(w.members[0]!);
    await until(w.all('half_open'), 'half open everywhere');
    await silence(w);
    probe.settle(Code.UNAVAILABLE);
    await until(w.silent, 'silent');
    const probes = w.members.map(() => 0);
    await until(() => {
      w.members.forEach((member, i) => {
        if (member.admit() !== undefined) probes[i]!++;
      });
      return probes.every((count) => count > 0);
    }, 'probes of their own');
    expect(probes).toEqual([1, 1, 1]);
  });

  it('and back: what was isolated stays so meanwhile; admins are told that the store is silent', async (ctx) => {
    const w = await create(ctx);
    const [first] = w.members;
    await first!.breakers.isolate('shop');
    await until(w.all('isolated'), 'isolated everywhere');
    await silence(w);
    await until(w.silent, 'silent');
    expect(w.members.map((member) => member.call(Code.OK, 1))).toEqual([0, 0, 0]);
    expect(await first!.breakers.list()).toMatchObject([{ phase: 'isolated', storeSilent: true, gateways: [] }]);
    // One that is frozen does what it was asked when it wakes, answered or not.
    if (how === 'kill') await expect(first!.breakers.reset('shop')).rejects.toThrow();
    await wake(w);
    await until(w.heard, 'heard');
    // An emptied Redis has forgotten it.
    await until(w.all(how === 'kill' ? 'closed' : 'isolated'), 'what Redis says');
  });
});

describe.concurrent('pub/sub that is lost', () => {
  it('delays what the others do to the next report', async (ctx) => {
    const w = await create(ctx);
    await w.redis.command('ACL', 'SETUSER', 'default', 'resetchannels');
    await w.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    failFor(w.members.slice(0, 2));
    expect(await until(w.all('open'), 'open everywhere')).toBeLessThan(1000);
  });
});

describe.concurrent('a Redis that comes back empty', () => {
  it('is told again that the backend fails, and nobody floods it', async (ctx) => {
    const w = await create(ctx, { openForMs: 60_000 });
    await w.open();
    await w.redis.restartEmpty();
    let admitted = 0;
    while ((await w.redis.command('HGET', 'tollgate:{b:shop}:state', 'phase')) !== 'open') {
      for (const member of w.members) admitted += member.call(Code.UNAVAILABLE, 1);
    }
    await until(w.all('open'), 'open everywhere');
    expect(admitted).toBe(0);
  });
});
