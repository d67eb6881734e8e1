import { expect, test } from 'vitest';
import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import type { Decided } from '../../src/decisions/decision-log.ts';
import { replay } from '../../src/decisions/replay.ts';
import { toAllowList } from '../../src/sync/allow-list.ts';
import { type Plan, Priority } from '../../src/sync/snapshot.ts';
import { method } from '../auth/support.ts';

const plan = (over: Partial<Plan> = {}): Plan => ({
  id: 'p',
  limits: [],
  quotas: [],
  concurrency: 0,
  priority: Priority.NORMAL,
  ...over,
});
const entry = (path: string, policy: Parameters<typeof method>[0] = {}): [string, MethodEntry] => [
  path,
  { ...method(policy), path, name: path.slice(1) },
];
const methods = new Map([
  entry('/s/Cheap', { cost: 1 }),
  entry('/s/Dear', { cost: 5 }),
  entry('/s/Heavy', { limit: 'heavy' }),
]);
const row = (second: number, path: string, admitted: number, refused = 0): Decided => ({
  second,
  tenantId: 't',
  path,
  admitted,
  refused,
});
const run = (decided: Decided[], before: Plan, after: Plan, used = new Map<string, number>()) =>
  replay({ decided, used }, { plan: before, methods }, { plan: after, methods });
const calls = (rate: number, burst: number) => ({ limits: [{ name: 'calls', rate, burst }] });
const units = (limit: number) => ({
  quotas: [{ metric: 'units', limit, period: 'day' as const, timeZone: 'UTC', anchor: 0 }],
});

test('the same plan decides the same', () => {
  const decided = [row(1, '/s/Cheap', 50, 20), row(2, '/s/Dear', 7)];
  expect(run(decided, plan(calls(10, 20)), plan(calls(10, 20)))).toEqual([]);
});

test('a lower rate refuses what is above it, a higher one admits it', () => {
  const decided = [row(1, '/s/Cheap', 10), row(2, '/s/Cheap', 10), row(3, '/s/Cheap', 10)];
  const [wide, narrow] = [plan(calls(100, 100)), plan(calls(2, 2))];
  const [found] = run(decided, wide, narrow);
  // Two at once, and two a second for the two seconds and the parts of one that the calls take.
  expect(found).toMatchObject({ path: '/s/Cheap', calls: 30, newlyAdmitted: 0, rule: 'limit calls' });
  expect(found!.newlyRefused).toBeGreaterThanOrEqual(30 - 2 - 6);
  expect(found!.newlyRefused).toBeLessThanOrEqual(30 - 2 - 4);
  expect(run(decided, narrow, wide)).toEqual([
    { path: '/s/Cheap', calls: 30, newlyRefused: 0, newlyAdmitted: found!.newlyRefused, rule: 'limit calls' },
  ]);
});

test('a limit that a method names counts for that method alone', () => {
  const decided = [row(1, '/s/Cheap', 10), row(1, '/s/Heavy', 10)];
  const heavy = plan({ limits: [{ name: 'heavy', rate: 0.001, burst: 3 }] });
  expect(run(decided, plan(), heavy)).toEqual([
    { path: '/s/Heavy', calls: 10, newlyRefused: 7, newlyAdmitted: 0, rule: 'limit heavy' },
  ]);
});

test('a quota counts what was used before, and what each method costs', () => {
  const decided = [row(1, '/s/Cheap', 10), row(2, '/s/Dear', 4)];
  const used = new Map([['units/day', 70]]);
  expect(run(decided, plan(units(1000)), plan(units(90)), used)).toEqual([
    { path: '/s/Dear', calls: 4, newlyRefused: 2, newlyAdmitted: 0, rule: 'quota units/day' },
  ]);
});

test('what the plan does not allow is refused', () => {
  const decided = [row(1, '/s/Cheap', 3), row(1, '/s/Dear', 2)];
  const found = run(decided, plan(), plan({ allowed: toAllowList([methods.get('/s/Dear')!.name]) }));
  expect(found).toEqual([{ path: '/s/Cheap', calls: 3, newlyRefused: 3, newlyAdmitted: 0, rule: 'allowed' }]);
});

test('methods that are gone are passed over', () => {
  expect(run([row(1, '/s/Gone', 10)], plan(), plan(calls(1, 1)))).toEqual([]);
});
