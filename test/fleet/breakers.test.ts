import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Breaker,
  BreakerServiceService,
  Breaker_State as State,
} from '../../generated/tollgate/admin/v1/breaker.ts';
import { Fleet } from '../support/fleet.ts';
import type { AdmittedCall } from './checker.ts';
import type { Load } from './load.ts';
import { monotonicMs } from './monotonic.ts';

// Promise 6: one gateway's network trips nobody else; a backend that fails for all is left alone by all.

const GATEWAYS = 4;
const PROBES = 2;
const OPEN_MS = 1_000;
const [OK, UNAVAILABLE] = [0, 14];
const EVERYBODY = [0, 1, 2, 3];

let fleet: Fleet;
let loads: Load[];

beforeAll(async () => {
  fleet = await Fleet.start({
    gateways: GATEWAYS,
    edit: (config) => {
      config.backends[0]!.breaker = {
        failureRatio: 0.5,
        window: { seconds: 10, nanos: 0 },
        minCalls: 10,
        openFor: { seconds: OPEN_MS / 1000, nanos: 0 },
        probes: PROBES,
        failureStatuses: [],
      };
    },
  });
  loads = EVERYBODY.map((gateway) => fleet.load(gateway, fleet.key('alpha')));
  for (const load of loads) load.rate = 100;
}, 60_000);
afterAll(() => fleet.dispose());

async function breakerAt(gateway: number): Promise<Breaker> {
  const admin = fleet.admin(gateway);
  try {
    const { breakers } = await admin.call(BreakerServiceService.listBreakers, {});
    return breakers[0]!;
  } finally {
    admin.close();
  }
}

async function until(what: () => boolean | Promise<boolean>, name: string): Promise<void> {
  const end = monotonicMs() + 15_000;
  while (!(await what())) {
    if (monotonicMs() > end) throw new Error(`never: ${name}`);
    await setTimeout(20);
  }
}

const allServed = () =>
  until(async () => {
    const before = loads.map((load) => load.count(OK));
    await setTimeout(200);
    return loads.every((load, i) => load.count(OK) > before[i]!);
  }, 'served by all');

/** The most calls that began within so many milliseconds. */
function busiest(calls: readonly AdmittedCall[], ms: number): number {
  let most = 0;
  let first = 0;
  for (let last = 0; last < calls.length; last++) {
    while (calls[last]!.at - calls[first]!.at > ms) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

test('a gateway whose network to the backend is cut opens its own breaker, and nobody else notices', async () => {
  await allServed();
  await fleet.backend.cut([0]);
  await until(async () => (await breakerAt(0)).localState === State.STATE_OPEN, 'its own breaker opens');
  const failures = loads.map((load) => load.count(UNAVAILABLE));
  const served = loads.map((load) => load.count(OK));
  // Through several rounds of its own probes.
  const end = monotonicMs() + 3 * OPEN_MS;
  while (monotonicMs() < end) {
    const breakers = await Promise.all(EVERYBODY.map(breakerAt));
    expect(breakers.map(({ state }) => state)).toEqual(EVERYBODY.map(() => State.STATE_CLOSED));
    expect(breakers.slice(1).map(({ localState }) => localState)).toEqual([1, 1, 1]);
    await setTimeout(100);
  }
  const views = (await breakerAt(1)).gateways;
  expect(views).toHaveLength(GATEWAYS);
  expect(views.filter(({ state }) => state !== State.STATE_CLOSED)).toHaveLength(1);
  expect(loads[0]!.count(OK)).toBe(served[0]);
  for (const each of [1, 2, 3]) {
    expect(loads[each]!.count(UNAVAILABLE)).toBe(failures[each]);
    expect(loads[each]!.count(OK)).toBeGreaterThan(served[each]! + 100);
  }
  await fleet.backend.cut([]);
  await allServed();
}, 40_000);

test('a backend that fails for all is left alone within a second, probed seldom, and called again by all at once', async () => {
  await allServed();
  await fleet.backend.fail(EVERYBODY);
  const failing = monotonicMs();
  await until(async () => (await breakerAt(0)).state !== State.STATE_CLOSED, 'the fleet opens');
  await setTimeout(1_000 + 5 * OPEN_MS);
  await fleet.backend.fail([]);
  const mended = monotonicMs();
  await allServed();
  const calls = await fleet.backend.fetch();

  const failed = calls.filter(({ at }) => at > failing && at < mended);
  const late = failed.filter(({ at }) => at > failing + 1_000);
  // A round ends with its first verdict, and the next begins when the time in OPEN is over.
  const most = busiest(late, 0.9 * OPEN_MS);
  const firsts = EVERYBODY.map((gateway) => calls.find((call) => call.gateway === gateway && call.at > mended + 5)!.at);
  const firstGood = Math.min(...firsts);
  const spread = Math.max(...firsts) - firstGood;
  const stopped = Math.max(
    ...EVERYBODY.map(
      (gateway) => failed.filter((c) => c.gateway === gateway && c.at < failing + 1_000).at(-1)?.at ?? 0,
    ),
  );
  console.log(
    `promise 6: all stopped ${(stopped - failing).toFixed(0)} ms after the failure; ${late.length} probes in ` +
      `${(mended - failing - 1_000).toFixed(0)} ms, at most ${most} of ${PROBES} within a round; the first good one closed ` +
      `all within ${spread.toFixed(0)} ms`,
  );
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(PROBES);
  // 400 calls a second were offered all the time.
  expect(late.length).toBeLessThanOrEqual(PROBES * (1 + (mended - failing) / OPEN_MS));
  expect(spread).toBeLessThan(1_000);
}, 40_000);

test('what an operator isolates is isolated for all, until it is reset', async () => {
  await allServed();
  const admin = fleet.admin(1);
  try {
    await admin.call(BreakerServiceService.isolate, { backend: 'everything' });
    await until(
      async () =>
        (await Promise.all(EVERYBODY.map(breakerAt))).every(
          ({ localState, state }) => state === State.STATE_ISOLATED && localState !== undefined,
        ),
      'isolated',
    );
    await setTimeout(500);
    const before = (await fleet.backend.fetch()).length;
    await setTimeout(500);
    expect((await fleet.backend.fetch()).length).toBe(before);
    await admin.call(BreakerServiceService.reset, { backend: 'everything' });
    await allServed();
  } finally {
    admin.close();
  }
}, 40_000);
