import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Permit } from '../../src/breaker/circuit-breaker.ts';
import type { BreakerOptions } from '../../src/breaker/options.ts';
import { Code } from '../../src/grpc/status.ts';
import { type RedisServer, startRedis, startRedisCluster } from '../support/redis-server.ts';
import { failFor, type Member, nextProbe, openMember, until } from './fleet-fixture.ts';

// Several gateways' breakers, each with its own connection, on a real Redis.

let redis: RedisServer;
let members: Member[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.command('FLUSHALL');
});
afterEach(() => {
  for (const member of members) member.die();
  members = [];
});

async function fleet(count: number, options: Partial<BreakerOptions> = {}): Promise<Member[]> {
  members = await Promise.all(Array.from({ length: count }, (_, i) => openMember(redis.node, `g${i + 1}`, options)));
  return members;
}

const phases = () => members.map(({ breaker }) => breaker.phase);
const all = (phase: string) => () => phases().every((each) => each === phase);
/** Everybody has told the store what it sees now, and heard what came of it. */
async function agreed(): Promise<void> {
  for (let round = 0; round < 2; round++) await Promise.all(members.map(({ breaker }) => breaker.report()));
}

describe('a quorum', () => {
  it.each([
    // gateways, of them calling, of them failing, and whether the fleet opens
    [1, 1, 1, false],
    [2, 1, 1, false],
    [2, 2, 1, false],
    [2, 2, 2, true],
    [3, 2, 2, true],
    [3, 3, 1, false],
    [3, 3, 2, true],
    [4, 4, 1, false],
    [4, 4, 2, false],
    [4, 4, 3, true],
    [5, 3, 2, true],
    [5, 5, 2, false],
    [5, 5, 3, true],
  ])('of %i gateways %i call, and it fails for %i: opens the fleet: %s', async (count, calling, failing, opens) => {
    await fleet(count, { openForMs: 60_000 });
    for (const member of members.slice(failing, calling)) member.call(Code.OK, 20);
    await agreed();
    failFor(members.slice(0, failing));
    await until(() => members.slice(0, failing).every(({ breaker }) => breaker.local.state === 'open'), 'local');
    await agreed();
    if (opens) await until(all('open'), 'open everywhere');
    else expect(phases()).toEqual(phases().map(() => 'closed'));
    expect(members.map((member) => typeof member.breaker.acquire() === 'number')).toEqual(
      members.map((_, i) => opens || i < failing),
    );
  });

  it('is not made by one gateway that says it again and again', async () => {
    const [bad, ...good] = await fleet(3, { openForMs: 50 });
    for (let i = 0; i < 10; i++) {
      for (const each of good) each.call(Code.OK, 10);
      bad!.call(Code.UNAVAILABLE, 20);
      await agreed();
      expect(phases()).toEqual(['closed', 'closed', 'closed']);
      await delay(20);
    }
    expect(good.map((each) => each.call(Code.OK, 10))).toEqual([10, 10]);
  });

  it('does not count gateways that have gone', async () => {
    const [first, second, third, fourth] = await fleet(4, { openForMs: 60_000 });
    for (const each of [second, third, fourth]) each!.call(Code.OK, 5);
    await agreed();
    await third!.close();
    fourth!.die();
    failFor([first!, second!]);
    await until(() => first!.breaker.phase === 'open', 'the two that are left agree');
  });

  it('makes others careful, who open sooner, and no more once the doubts are gone', async () => {
    const [doubter, other] = await fleet(2, { openForMs: 60_000 });
    other!.call(Code.OK, 1);
    await agreed();
    failFor([doubter!]);
    await until(() => other!.breaker.local.careful, 'careful');
    await doubter!.breakers.reset('shop');
    await until(() => !other!.breaker.local.careful, 'careless');
    failFor([doubter!]);
    await until(() => other!.breaker.local.careful, 'careful');
    // Half of what it takes otherwise.
    other!.call(Code.OK, 3);
    other!.call(Code.UNAVAILABLE, 2);
    await until(all('open'), 'open everywhere');
  });
});

describe('an open fleet', () => {
  it('lets through at most the configured probes together, and the first good verdict closes all', async () => {
    for (const probes of [1, 3]) {
      await redis.command('FLUSHALL');
      await fleet(5, { probes });
      failFor(members);
      await until(all('open'), 'open everywhere');
      const permits: Permit[] = [];
      const storm = performance.now() + 900;
      while (performance.now() < storm) {
        for (const member of members) {
          const permit = member.admit();
          if (permit !== undefined) permits.push(permit);
        }
        await delay(1);
      }
      expect(permits).toHaveLength(probes);
      permits[0]!.settle(Code.OK);
      expect(await until(all('closed'), 'closed everywhere')).toBeLessThan(1000);
      await until(() => members.every((member) => member.call(Code.OK, 1) === 1), 'admitted everywhere');
      // What comes after the verdict changes nothing.
      for (const permit of permits.slice(1)) permit.settle(Code.UNAVAILABLE);
      await agreed();
      expect(phases()).toEqual(['closed', 'closed', 'closed', 'closed', 'closed']);
      for (const member of members) member.die();
      members = [];
    }
  });

  it('opens again everywhere when a probe fails', async () => {
    const [first] = await fleet(3);
    failFor(members);
    await until(all('open'), 'open everywhere');
    const probe = await nextProbe(first!);
    await until(all('half_open'), 'half open everywhere');
    probe.settle(Code.UNAVAILABLE);
    await until(all('open'), 'open everywhere');
    expect(members.map((member) => member.call(Code.OK, 10))).toEqual([0, 0, 0]);
  });

  it('lets others probe first when the last probe failed for one, whose own network it may be', async () => {
    const [bad, good] = await fleet(2);
    failFor(members);
    await until(all('open'), 'open everywhere');
    await until(() => bad!.call(Code.UNAVAILABLE, 1) === 1, 'a probe that fails');
    await until(all('open'), 'open everywhere');
    // It asks all the time; the other only now and then.
    await until(() => {
      bad!.call(Code.UNAVAILABLE, 1);
      return bad!.breaker.phase === 'half_open';
    }, 'half open');
    await until(() => good!.call(Code.OK, 1) === 1 || bad!.call(Code.UNAVAILABLE, 1) === 1, 'a probe');
    await until(all('closed'), 'closed everywhere');
  });

  it('gives the leave of a probe that said nothing, or that no call used, to others', async () => {
    const [first, second] = await fleet(2);
    failFor(members);
    await until(all('open'), 'open everywhere');
    let probe = await nextProbe(first!);
    expect(second!.admit()).toBeUndefined();
    probe.ignore();
    probe = await nextProbe(second!);
    probe.settle(Code.DEADLINE_EXCEEDED, 1);
    // Leave is fetched in the background; the call that made it be fetched was refused, and no other comes.
    await until(() => first!.breaker.acquire() === 400, 'asked');
    await until(() => second!.call(Code.OK, 1) === 1, 'leave that nobody used');
    await until(all('closed'), 'closed everywhere');
  }, 10_000);

  it('takes a probe that hangs for a failure, and one whose gateway died for none', async () => {
    const [first, second] = await fleet(2, { probeTimeoutMs: 300 });
    failFor(members);
    await until(all('open'), 'open everywhere');
    let probe = await nextProbe(first!);
    await until(all('open'), 'open again');
    probe.settle(Code.OK);
    probe = await nextProbe(second!);
    const ids = await redis.command('ZRANGE', 'tollgate:{b:shop}:probes', 0, -1);
    expect(ids).toHaveLength(1);
    second!.die();
    // Nobody prolongs the lease: as if its time had come.
    await redis.command('ZADD', 'tollgate:{b:shop}:probes', 1, (ids as string[])[0]!);
    await until(() => first!.call(Code.OK, 1) === 1, 'a probe in its place');
    await until(() => first!.breaker.phase === 'closed', 'closed');
  });

  it('is told to a gateway that comes later', async () => {
    await fleet(2, { openForMs: 60_000 });
    failFor(members);
    await until(all('open'), 'open everywhere');
    const late = await openMember(redis.node, 'late', { openForMs: 60_000 });
    members.push(late);
    expect(late.breaker.phase).toBe('open');
    expect(typeof late.breaker.acquire()).toBe('number');
  });

  it('reaches those whose pub/sub is lost, by reading', async () => {
    await fleet(3, { openForMs: 60_000 });
    await redis.command('ACL', 'SETUSER', 'default', 'resetchannels');
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    try {
      failFor(members.slice(0, 2));
      await until(all('open'), 'open everywhere');
    } finally {
      await redis.command('ACL', 'SETUSER', 'default', 'allchannels');
    }
  });
});

describe('an operator', () => {
  it('isolates a backend everywhere until it is reset, and sees what each gateway thinks', async () => {
    const [first, second] = await fleet(3);
    second!.call(Code.OK, 3);
    failFor([first!]);
    await agreed();
    expect(await first!.breakers.list()).toMatchObject([
      {
        backend: 'shop',
        phase: 'closed',
        local: 'open',
        storeSilent: false,
        gateways: [
          { gateway: 'g1', state: 'open', calls: 10, failures: 10, openedAgoMs: expect.any(Number) },
          { gateway: 'g2', state: 'closed', calls: 3, failures: 0, openedAgoMs: undefined },
        ],
      },
    ]);
    expect(await second!.breakers.isolate('shop')).toMatchObject({ phase: 'isolated' });
    await until(all('isolated'), 'isolated everywhere');
    // Longer than it is open otherwise.
    await delay(500);
    expect(members.map((member) => member.call(Code.OK, 10))).toEqual([0, 0, 0]);
    expect(first!.breaker.state).toBe('open');
    expect(await first!.breakers.reset('shop')).toMatchObject({ phase: 'closed' });
    await until(() => members.every((member) => member.call(Code.OK, 1) === 1), 'admitted everywhere');
    expect(await first!.breakers.isolate('nobody')).toBeUndefined();
  });
});

describe('a Redis Cluster', () => {
  it('holds the breakers of each backend on one of its nodes', async () => {
    const cluster = await startRedisCluster();
    try {
      members = await Promise.all(['g1', 'g2'].map((name) => openMember(cluster.nodes, name)));
      failFor(members);
      await until(all('open'), 'open everywhere');
      await until(() => members[0]!.call(Code.OK, 1) === 1, 'a probe');
      await until(all('closed'), 'closed everywhere');
      expect((await members[1]!.breakers.isolate('shop'))?.phase).toBe('isolated');
      await until(all('isolated'), 'isolated everywhere');
    } finally {
      for (const member of members) member.die();
      members = [];
      await cluster.stop();
    }
  }, 20_000);
});
