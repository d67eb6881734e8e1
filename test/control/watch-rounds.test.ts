import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  GetMetricsRequest,
  GetMetricsResponse,
  WatchMetricsResponse,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import type { Cursors, Progress } from '../../src/control/metrics-service.ts';
import { MetricsWatch } from '../../src/control/watch-metrics.ts';
import { WatchTable } from '../../src/control/watch-rounds.ts';
import { MESSAGE_PREFIX } from '../../src/grpc/message-prefix.ts';

const INTERVAL_MS = 1000;
const QUERY = GetMetricsRequest.fromPartial({});

const MOST_PLACES = 8;

/** What was asked of the source, in whose place `frame` was counted by then, and how large its answers are. */
let asked: Cursors[];
let frame: number;
let octets: number;
let failure: Error | undefined;
let table: WatchTable;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  asked = [];
  octets = 100;
  frame = 0;
  failure = undefined;
  table = new WatchTable({
    get: async () => GetMetricsResponse.fromPartial({}),
    async advance(_request, _audience, cursors): Promise<Progress> {
      asked.push(cursors);
      if (failure !== undefined) throw failure;
      return { encoded: answerOf(octets), cursors: new Map([['one', frame]]), sinceStart: cursors.size === 0 };
    },
  });
});
afterEach(() => void vi.useRealTimers());

const answerOf = (octets: number) =>
  GetMetricsResponse.encode(GetMetricsResponse.fromPartial({ series: [{ tenantId: 'x'.repeat(octets) }] })).finish();

class Watcher {
  readonly written: Buffer[] = [];
  readonly errors: unknown[] = [];
  isReady = true;
  readonly acceptsGzip: boolean;
  readonly watch = new MetricsWatch(this, (error) => this.errors.push(error));
  leave = table.add(this.watch, { query: QUERY, audience: 'administrator', intervalMs: INTERVAL_MS });

  constructor(acceptsGzip = false) {
    this.acceptsGzip = acceptsGzip;
  }

  write(octets: Buffer): void {
    this.written.push(octets);
  }

  get messages(): WatchMetricsResponse[] {
    return this.written.map((octets) => {
      if (!this.acceptsGzip) expect(octets[0]).toBe(0);
      expect(octets.readUInt32BE(1)).toBe(octets.length - MESSAGE_PREFIX);
      const message = octets.subarray(MESSAGE_PREFIX);
      return WatchMetricsResponse.decode(octets[0] === 1 ? gunzipSync(message) : message);
    });
  }
}

const join = (count: number): Watcher[] => Array.from({ length: count }, () => new Watcher());
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('each is told once in an interval, and what is told is worked out once for all', async () => {
  const watchers = join(50);
  await pass(INTERVAL_MS / 2);
  expect(watchers.map(({ messages }) => messages.length)).toEqual(new Array(50).fill(1));
  for (let round = 1; round <= 3; round++) {
    asked = [];
    frame++;
    await pass(INTERVAL_MS);
    expect(asked).toEqual([new Map([['one', frame - 1]])]);
    expect(new Set(watchers.map(({ written }) => written[round])).size).toBe(1);
  }
  expect(watchers[49]?.messages.map(({ sinceStart, skipped }) => [sinceStart, skipped])).toEqual([
    [true, 0],
    [false, 0],
    [false, 0],
    [false, 0],
  ]);
});

test('who takes compressed messages is told the same in fewer octets, once compressed for all; short ones are left as they are', async () => {
  octets = 100_000;
  const [plain, ...compressed] = [new Watcher(), new Watcher(true), new Watcher(true)];
  const written = (round: number) => compressed.map((watcher) => watcher.written[round]!);
  await vi.waitFor(() => expect(Math.min(...[plain!, ...compressed].map(({ written }) => written.length))).toBe(1));
  frame++;
  await pass(INTERVAL_MS);
  await vi.waitFor(() => expect(compressed.map(({ written }) => written.length)).toEqual([2, 2]));
  expect(compressed[0]!.messages[1]).toEqual(plain!.messages[1]);
  expect(new Set(written(1)).size).toBe(1);
  expect(written(1)[0]!.length).toBeLessThan(plain!.written[1]!.length / 10);
  octets = 100;
  frame++;
  await pass(INTERVAL_MS);
  await vi.waitFor(() => expect(compressed[1]!.written).toHaveLength(3));
  expect(written(2).map((message) => message[0])).toEqual([0, 0]);
});

test('where a round takes longer than an interval, the next begins when all have been told, and says what was left out', async () => {
  const watchers = join(10);
  await pass(INTERVAL_MS / 2);
  // All together are sent 4 MiB a second: this takes two and a half.
  octets = 2 ** 20;
  asked = [];
  await pass(10 * INTERVAL_MS);
  expect(asked.length).toBe(4);
  const counts = watchers.map(({ messages }) => messages.length);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  expect(watchers.map(({ messages }) => messages[2]?.skipped)).toEqual(new Array(10).fill(2));
});

test('who does not take what it is sent is passed over, the others are told, and it gets all at once when it does', async () => {
  const [slow, ...others] = join(5);
  await pass(INTERVAL_MS / 2);
  slow!.isReady = false;
  for (let round = 0; round < 5; round++) {
    frame++;
    await pass(INTERVAL_MS);
  }
  expect(slow!.messages).toHaveLength(1);
  expect(others.map(({ messages }) => messages.length)).toEqual(new Array(4).fill(6));
  slow!.isReady = true;
  asked = [];
  await pass(INTERVAL_MS);
  expect(asked).toContainEqual(new Map([['one', 0]]));
  expect(slow!.messages[1]).toMatchObject({ skipped: 5, sinceStart: false });
  asked = [];
  await pass(INTERVAL_MS);
  expect(asked).toHaveLength(1);
});

test('of many who have fallen behind, each elsewhere, a few are told in each round, and all in the end', async () => {
  const watchers: Watcher[] = [];
  for (let i = 0; i < 20; i++) {
    frame++;
    watchers.push(...join(1));
    await pass(1);
  }
  for (let round = 0; round < 4; round++) {
    asked = [];
    await pass(INTERVAL_MS);
    expect(asked.length).toBeLessThanOrEqual(MOST_PLACES);
  }
  expect(asked).toHaveLength(1);
  expect(Math.min(...watchers.map(({ messages }) => messages.length))).toBeGreaterThanOrEqual(3);
});

test('what goes wrong ends those who would have been told, and nobody who has left', async () => {
  const [gone, first, second] = join(3);
  await pass(INTERVAL_MS / 2);
  gone!.watch.close();
  gone!.leave();
  failure = new Error('no such gateway');
  await pass(INTERVAL_MS);
  expect([gone, first, second].map((watcher) => watcher?.errors)).toEqual([[], [failure], [failure]]);
});

test('nothing is left of those who have gone', async () => {
  const watchers = join(3);
  await pass(INTERVAL_MS);
  for (const { watch, leave } of watchers) {
    watch.close();
    leave();
  }
  await pass(INTERVAL_MS);
  expect(vi.getTimerCount()).toBe(0);
  asked = [];
  await pass(5 * INTERVAL_MS);
  expect(asked).toEqual([]);
});
