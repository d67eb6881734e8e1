import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gcraRetryAfterMs, newGcraBucket, takeGcra } from '../../../src/store/gcra.ts';
import { RedisRates } from '../../../src/store/redis/rates.ts';
import { loadScripts } from '../../../src/store/redis/scripts.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';
import { RedisFixture } from './counters.ts';

let server: RedisServer;
let fixture: RedisFixture;
/** The script with a clock that the test moves: two arguments more behind those of the bucket, seconds and microseconds. */
const TEXT = loadScripts().get('take-rates')!.text.replace("redis.call('TIME')", '{ ARGV[5], ARGV[6] }');
const BEGIN_MS = 1_800_000_000_000;

beforeAll(async () => {
  server = await startRedis();
  fixture = await RedisFixture.open(server.port);
});
afterAll(async () => {
  fixture.close();
  await server.stop();
});

interface Question {
  readonly rate: number;
  readonly burst: number;
  readonly want: number;
  readonly owed?: number;
  /** Milliseconds since the beginning. */
  readonly at: number;
}

let buckets = 0;
const newKey = () => `bucket${++buckets}`;

async function ask(key: string, { rate, burst, want, owed = 0, at }: Question) {
  const micros = Math.round((BEGIN_MS + at) * 1000);
  const clock = [Math.floor(micros / 1e6), micros % 1e6];
  const reply = await fixture.client.eval(TEXT, 1, key, rate, burst, want, owed, ...clock);
  const [granted, wait, left] = reply as [number, number, number];
  return { granted, wait, left };
}

const rates = fc.oneof(fc.integer({ min: 1, max: 1_000_000 }), fc.double({ min: 0.01, max: 5000, noNaN: true }));
const steps = fc.array(
  fc.record({
    wait: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 5000 })),
    want: fc.integer({ min: 1, max: 50 }),
    change: fc.option(fc.record({ rate: rates, burst: fc.integer({ min: 1, max: 500 }) }), { freq: 10 }),
  }),
  { minLength: 1, maxLength: 25 },
);

describe('the bucket in Redis', () => {
  it('grants what its twin in TypeScript grants, and tells the same time to wait', async () => {
    await fc.assert(
      fc.asyncProperty(rates, fc.integer({ min: 1, max: 500 }), steps, async (firstRate, firstBurst, schedule) => {
        const key = newKey();
        let [rate, burst, at] = [firstRate, firstBurst, 0];
        const twin = newGcraBucket(rate, 0);
        for (const { wait, want, change } of schedule) {
          at += wait;
          if (change !== null) ({ rate, burst } = change);
          const reply = await ask(key, { rate, burst, want, at });
          expect(reply.granted).toBe(takeGcra(twin, rate, burst, want, at));
          if (reply.left === 0) expect(reply.wait).toBe(Math.round(gcraRetryAfterMs(twin, burst, at) * 1000));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('earns nothing by a clock that goes back, and is not blocked by it', async () => {
    const key = newKey();
    const limit = { rate: 10, burst: 5 };
    expect((await ask(key, { ...limit, want: 9, at: 3_600_000 })).granted).toBe(5);
    expect((await ask(key, { ...limit, want: 9, at: 0 })).granted).toBe(0);
    expect((await ask(key, { ...limit, want: 9, at: 200 })).granted).toBe(2);
    expect((await ask(key, { ...limit, want: 9, at: 100 })).granted).toBe(0);
    expect((await ask(key, { ...limit, want: 9, at: 200 })).granted).toBe(1);
  });

  it('gives one burst, and no more, for a clock that jumps ahead', async () => {
    const key = newKey();
    const limit = { rate: 10, burst: 5 };
    await ask(key, { ...limit, want: 9, at: 0 });
    expect((await ask(key, { ...limit, want: 9, at: 3_600_000 })).granted).toBe(5);
    expect((await ask(key, { ...limit, want: 9, at: 3_600_000 })).granted).toBe(0);
  });

  it('never admits more than burst + rate x time, whatever is owed and however the clock goes back', async () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 400 }),
      back: fc.option(fc.integer({ min: 1, max: 10_000 }), { freq: 6 }),
      want: fc.integer({ min: 0, max: 30 }),
      owed: fc.option(fc.integer({ min: 0, max: 30 }), { freq: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (schedule) => {
        const key = newKey();
        let [clock, elapsed, granted] = [100_000, 0, 0];
        for (const { wait, back, want, owed } of schedule) {
          clock += wait - (back ?? 0);
          elapsed += wait;
          granted += (await ask(key, { rate: 20, burst: 10, want, owed: owed ?? 0, at: clock })).granted;
          expect(granted).toBeLessThanOrEqual(10 + (20 * elapsed) / 1000 + 1e-9);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('charges what is owed as far as there is something, and puts nobody in debt', async () => {
    const key = newKey();
    const limit = { rate: 10, burst: 5 };
    expect(await ask(key, { ...limit, want: 0, owed: 3, at: 0 })).toMatchObject({ granted: 0, left: 2 });
    expect(await ask(key, { ...limit, want: 1, owed: 99, at: 0 })).toMatchObject({
      granted: 0,
      left: 0,
      wait: 100_001,
    });
    expect((await ask(key, { ...limit, want: 9, at: 101 })).granted).toBe(1);
  });

  it('is gone when it is full, since a new one is the same', async () => {
    const key = newKey();
    await ask(key, { rate: 10, burst: 5, want: 5, at: 0 });
    const ttl = await fixture.client.pttl(key);
    expect(ttl).toBeGreaterThan(500);
    expect(ttl).toBeLessThanOrEqual(1500);
  });

  it('is one of many that are asked at once, each for its own', async () => {
    const many = loadScripts().get('take-rates')!.text;
    const keys = Array.from({ length: 5 }, newKey);
    await ask(keys[3]!, { rate: 1, burst: 4, want: 4, at: Date.now() - BEGIN_MS });
    const args = keys.flatMap((_, i) => [1, 4, i, 0]);
    const reply = (await fixture.client.eval(many, keys.length, ...keys, ...args)) as number[];
    const granted = keys.map((_, i) => reply[3 * i]);
    const left = keys.map((_, i) => reply[3 * i + 2]);
    expect(granted).toEqual([0, 1, 2, 0, 4]);
    expect(left).toEqual([4, 3, 2, 0, 0]);
  });

  it('is asked for in one script with all others of a turn', async () => {
    const rates = new RedisRates(fixture.parts);
    const before = fixture.asked;
    const grants = await Promise.all(
      Array.from({ length: 150 }, (_, i) => rates.take(`many-${i}/calls`, 1, 5, 1 + (i % 5))),
    );
    expect(grants.map(({ granted }) => granted)).toEqual(grants.map((_, i) => 1 + (i % 5)));
    expect(fixture.asked - before).toBe(3);
  });

  it('is asked by the server’s own clock', async () => {
    const rates = new RedisRates(fixture.parts);
    expect(await rates.take('demo/calls', 0.01, 5, 3)).toEqual({ granted: 3, retryAfterMs: 0, left: 2 });
    const empty = await rates.take('demo/calls', 0.01, 5, 3);
    expect(empty).toMatchObject({ granted: 2, left: 0 });
    expect(empty.retryAfterMs).toBeGreaterThan(90_000);
    expect(empty.retryAfterMs).toBeLessThan(100_001);
    expect(await rates.take('demo/other', 0.01, 5, 3)).toMatchObject({ granted: 3 });
  });
});
