import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { Permit } from '../../src/breaker/circuit-breaker.ts';
import type { BreakerOptions } from '../../src/breaker/options.ts';
import { Code } from '../../src/grpc/status.ts';
import { type RedisServer, startRedis, startRedisCluster } from '../support/redis-server.ts';
import { failFor, type Member, nextProbe, openMember, type RedisNode, until } from './fleet-fixture.ts';

// Several gateways' breakers, each with its own connection, on a real Redis.

let redis: RedisServer;
let backends = 0;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** Gateways that call a backend of the test's own. */
class Fleet {
  readonly backend = `shop-${++backends}`;
  readonly members: Member[] = [];

  async join(name: string, options: Partial<BreakerOptions>, nodes?: readonly RedisNode[]): Promise<Member> {
    const member = await openMember(nodes ?? redis.node, name, options, this.backend);
    this.members.push(member);
    return member;
  }

  phases(): string[] {
    return this.members.map(({ breaker }) => breaker.phase);
  }

  all(phase: string): () => boolean {
    return () => this.phases().every((each) => each === phase);
  }

  /** Everybody has told the store what it sees now, and heard what came of it. */
  async agreed(): Promise<void> {
    for (let round = 0; round < 2; round++) await Promise.all(this.members.map(({ breaker }) => breaker.report()));
  }
}

async function open(
  ctx: TestContext,
  count: number,
  options: Partial<BreakerOptions> = {},
  nodes?: readonly RedisNode[],
): Promise<Fleet> {
  const fleet = new Fleet();
  ctx.onTestFinished(() => {
    for (const member of fleet.members) member.die();
  });
  await Promise.all(Array.from({ length: count }, (_, i) => fleet.join(`g${i + 1}`, options, nodes)));
  fleet.members.sort((a, b) => (a.name < b.name ? -1 : 1));
  return fleet;
}

describe.concurrent('a quorum', () => {
  it.for<[number, number, number, boolean]>([
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
  ])(
    'of %i gateways %i call, and it fails for %i: opens the fleet: %s',
    async ([count, calling, failing, opens], ctx) => {
      const f = await open(ctx, count, { openForMs: 60_000 });
      for (const member of f.members.slice(failing, calling)) member.call(Code.OK, 20);
      await f.agreed();
      failFor(f.members.slice(0, failing));
      await until(() => f.members.slice(0, failing).every(({ breaker }) => breaker.local.state === 'open'), 'local');
      await f.agreed();
      if (opens) await until(f.all('open'), 'open everywhere');
      else expect(f.phases()).toEqual(f.phases().map(() => 'closed'));
      expect(f.members.map((member) => typeof member.breaker.acquire() === 'number')).toEqual(
        f.members.map((_, i) => opens || i < failing),
      );
    },
  );

  it('is not made by one gateway that says it again and again', async (ctx) => {
    const f = await open(ctx, 3, { openForMs: 50 });
    const [bad, ...good] = f.members;
    for (let i = 0; i < 10; i++) {
      for (const each of good) each.call(Code.OK, 10);
      bad!.call(Code.UNAVAILABLE, 20);
      await f.agreed();
      expect(f.phases()).toEqual(['closed', 'closed', 'closed']);
      await delay(20);
    }
    expect(good.map((each) => each.call(Code.OK, 10))).toEqual([10, 10]);
  });

  it('does not count gateways that have gone', async (ctx) => {
    const f = await open(ctx, 4, { openForMs: 60_000 });
    const [first, second, third, fourth] = f.members;
    for (const each of [second, third, fourth]) each!.call(Code.OK, 5);
    await f.agreed();
    await third!.close();
    fourth!.die();
    failFor([first!, second!]);
    await until(() => first!.breaker.phase === 'open', 'the two that are left agree');
  });

  it('makes others careful, who open sooner, and no more once the doubts are gone', async (ctx) => {
    const f = await open(ctx, 2, { openForMs: 60_000 });
    const [doubter, other] = f.members;
    other!.call(Code.OK, 1);
    await f.agreed();
    failFor([doubter!]);
    await until(() => other!.breaker.local.careful, 'careful');
    await doubter!.breakers.reset(f.backend);
    await until(() => !other!.breaker.local.careful, 'careless');
    failFor([doubter!]);
    await until(() => other!.breaker.local.careful, 'careful');
    // Half of what it takes otherwise.
    other!.call(Code.OK, 3);
    other!.call(Code.UNAVAILABLE, 2);
    await until(f.all('open'), 'open everywhere');
  });
});

describe.concurrent('an open fleet', () => {
  it.for([1, 3])(
    'lets through at most %i probes together, and the first good verdict closes all',
    async (probes, ctx) => {
      const f = await open(ctx, 5, { probes });
      failFor(f.members);
      await until(f.all('open'), 'open everywhere');
      const permits: Permit[] = [];
      const storm = performance.now() + 900;
      while (performance.now() < storm) {
        for (const member of f.members) {
          const permit = member.admit();
          if (permit !== undefined) permits.push(permit);
        }
        await delay(1);
      }
      expect(permits).toHaveLength(probes);
      permits[0]!.settle(Code.OK);
      expect(await until(f.all('closed'), 'closed everywhere')).toBeLessThan(1000);
      await until(() => f.members.every((member) => member.call(Code.OK, 1) === 1), 'admitted everywhere');
      // What comes after the verdict changes nothing.
      for (const permit of permits.slice(1)) permit.settle(Code.UNAVAILABLE);
      await f.agreed();
      expect(f.phases()).toEqual(['closed', 'closed', 'closed', 'closed', 'closed']);
    },
  );

  it('counts a probe of an earlier round that still runs', async (ctx) => {
    const f = await open(ctx, 3, { probes: 2 });
    const [first, second, third] = f.members;
    failFor(f.members);
    await until(f.all('open'), 'open everywhere');
    const hanging = await nextProbe(first!);
    const failing = await nextProbe(second!);
    failing.settle(Code.UNAVAILABLE);
    await until(f.all('open'), 'open again');
    await nextProbe(third!);
    const storm = performance.now() + 1500;
    let more = 0;
    while (performance.now() < storm) {
      for (const member of f.members) if (member.admit() !== undefined) more++;
      await delay(5);
    }
    expect(more).toBe(0);
    // It says nothing of this round, and makes room.
    hanging.settle(Code.OK);
    await nextProbe(second!);
    expect(f.phases()).toEqual(['half_open', 'half_open', 'half_open']);
  });

  it('opens again everywhere when a probe fails', async (ctx) => {
    const f = await open(ctx, 3);
    const [first] = f.members;
    failFor(f.members);
    await until(f.all('open'), 'open everywhere');
    const probe = await nextProbe(first!);
    await until(f.all('half_open'), 'half open everywhere');
    probe.settle(Code.UNAVAILABLE);
    await until(f.all('open'), 'open everywhere');
    expect(f.members.map((member) => member.call(Code.OK, 10))).toEqual([0, 0, 0]);
  });

  it('lets others probe first when the last probe failed for one, whose own network it may be', async (ctx) => {
    const f = await open(ctx, 2);
    const [bad, good] = f.members;
    failFor(f.members);
    await until(f.all('open'), 'open everywhere');
    await until(() => bad!.call(Code.UNAVAILABLE, 1) === 1, 'a probe that fails');
    await until(f.all('open'), 'open everywhere');
    // It asks all the time; the other only now and then.
    await until(() => {
      bad!.call(Code.UNAVAILABLE, 1);
      return bad!.breaker.phase === 'half_open';
    }, 'half open');
    await until(() => good!.call(Code.OK, 1) === 1 || bad!.call(Code.UNAVAILABLE, 1) === 1, 'a probe');
    await until(f.all('closed'), 'closed everywhere');
  });

  it('gives the leave of a probe that said nothing, or that no call used, to others', async (ctx) => {
    const f = await open(ctx, 2);
    const [first, second] = f.members;
    failFor(f.members);
    await until(f.all('open'), 'open everywhere');
    let probe = await nextProbe(first!);
    expect(second!.admit()).toBeUndefined();
    probe.ignore();
    probe = await nextProbe(second!);
    probe.settle(Code.DEADLINE_EXCEEDED, 1);
    // Leave is fetched in the background; the call that made it be fetched was refused, and no other comes.
    await until(() => first!.breaker.acquire() === 400, 'asked');
    await until(() => second!.call(Code.OK, 1) === 1, 'leave that nobody used');
    await until(f.all('closed'), 'closed everywhere');
  });

  it('takes a probe that hangs for a failure, and one whose gateway died for none', async (ctx) => {
    const f = await open(ctx, 2, { probeTimeoutMs: 300 });
    const [first, second] = f.members;
    failFor(f.members);
    await until(f.all('open'), 'open everywhere');
    let probe = await nextProbe(first!);
    await until(f.all('open'), 'open again');
    probe.settle(Code.OK);
    probe = await nextProbe(second!);
    const ids = await redis.command('ZRANGE', `tollgate:{b:${f.backend}}:probes`, 0, -1);
    expect(ids).toHaveLength(1);
    second!.die();
    // Nobody prolongs the lease: as if its time had come.
    await redis.command('ZADD', `tollgate:{b:${f.backend}}:probes`, 1, (ids as string[])[0]!);
    await until(() => first!.call(Code.OK, 1) === 1, 'a probe in its place');
    await until(() => first!.breaker.phase === 'closed', 'closed');
  });

  it('is told to a gateway that comes later', async (ctx) => {
    const f = await open(ctx, 2, { openForMs: 60_000 });
    failFor(f.members);
    await until(f.all('open'), 'open everywhere');
    const late = await f.join('late', { openForMs: 60_000 });
    expect(late.breaker.phase).toBe('open');
    expect(typeof late.breaker.acquire()).toBe('number');
  });
});

describe.concurrent('an operator', () => {
  it('isolates a backend everywhere until it is reset, and sees what each gateway thinks', async (ctx) => {
    const f = await open(ctx, 3);
    const [first, second] = f.members;
    second!.call(Code.OK, 3);
    failFor([first!]);
    await f.agreed();
    expect(await first!.breakers.list()).toMatchObject([
      {
        backend: f.backend,
        phase: 'closed',
        local: 'open',
        storeSilent: false,
        gateways: [
          { gateway: 'g1', state: 'open', calls: 10, failures: 10, openedAgoMs: expect.any(Number) },
          { gateway: 'g2', state: 'closed', calls: 3, failures: 0, openedAgoMs: undefined },
        ],
      },
    ]);
    expect(await second!.breakers.isolate(f.backend)).toMatchObject({ phase: 'isolated' });
    await until(f.all('isolated'), 'isolated everywhere');
    // Longer than it is open otherwise.
    await delay(500);
    expect(f.members.map((member) => member.call(Code.OK, 10))).toEqual([0, 0, 0]);
    expect(first!.breaker.state).toBe('open');
    expect(await first!.breakers.reset(f.backend)).toMatchObject({ phase: 'closed' });
    await until(() => f.members.every((member) => member.call(Code.OK, 1) === 1), 'admitted everywhere');
    expect(await first!.breakers.isolate('nobody')).toBeUndefined();
  });
});

describe.concurrent('a Redis Cluster', () => {
  it('holds the breakers of each backend on one of its nodes', async (ctx) => {
    const cluster = await startRedisCluster();
    ctx.onTestFinished(() => cluster.stop());
    const f = await open(ctx, 2, {}, cluster.nodes);
    failFor(f.members);
    await until(f.all('open'), 'open everywhere');
    await until(() => f.members[0]!.call(Code.OK, 1) === 1, 'a probe');
    await until(f.all('closed'), 'closed everywhere');
    expect((await f.members[1]!.breakers.isolate(f.backend))?.phase).toBe('isolated');
    await until(f.all('isolated'), 'isolated everywhere');
  });
});
