import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Call, Outcome, Refusal } from '../../src/chain/call.ts';
import { methodUnknown, quotaExhausted, rateLimited, scopeMissing } from '../../src/chain/refusal.ts';
import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import { DecisionLog } from '../../src/decisions/decision-log.ts';
import { Names } from '../../src/decisions/names.ts';
import { fakeCall, fakePlan } from '../chain/fake-call.ts';

const limited = rateLimited({ limit: 'calls', retryAfterMs: 5, tenantId: 't' });
const exhausted = quotaExhausted({ metric: 'units', limit: 1, resetAt: 0, tenantId: 't' });

function callOf(tenantId: string, method: string, backend = 'shop'): Call {
  const call = fakeCall(tenantId, fakePlan({}));
  const entry: MethodEntry = { ...call.method!, path: method, backend };
  return Object.assign(call, { method: entry });
}

const outcome = (refusal?: Refusal): Outcome => ({
  status: refusal?.status ?? 0,
  refusal,
  reachedBackend: refusal === undefined,
  cancelled: false,
  durationMs: 1,
});

test('calls are summed up by tenant, method and second: admitted ones, and those that limits and quotas refused', () => {
  let now = 5_000;
  const log = new DecisionLog(() => now);
  for (const refusal of [undefined, undefined, limited, exhausted]) log.observe(callOf('a', '/s/M'), outcome(refusal));
  log.observe(callOf('b', '/s/M'), outcome());
  now = 6_500;
  log.observe(callOf('a', '/s/M'), outcome());
  expect([...log.entries()]).toEqual([
    { second: 5, tenantId: 'a', path: '/s/M', admitted: 2, refused: 2 },
    { second: 5, tenantId: 'b', path: '/s/M', admitted: 1, refused: 0 },
    { second: 6, tenantId: 'a', path: '/s/M', admitted: 1, refused: 0 },
  ]);
});

test('calls that never came to the limits are not in it, nor those of the gateway itself', () => {
  const log = new DecisionLog(() => 1000);
  for (const refusal of [scopeMissing('x'), methodUnknown()]) log.observe(callOf('a', '/s/M'), outcome(refusal));
  log.observe(callOf('a', '/tollgate.admin.v1.TenantService/GetTenant', 'control'), outcome());
  expect([...log.entries()]).toEqual([]);
});

test('it has so many rows and no more, the last ones, and the names that they need', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.constantFrom(...'abcdef'), fc.constantFrom('/M', '/N')), {
        maxLength: 60,
      }),
      (size, calls) => {
        let now = 0;
        const log = new DecisionLog(() => now, size);
        const rows: { second: number; tenantId: string; path: string; admitted: number; refused: number }[] = [];
        for (const [seconds, tenantId, path] of calls) {
          now += seconds * 1000;
          log.observe(callOf(tenantId, path), outcome());
          const second = now / 1000;
          const row = rows.slice(-size).find((r) => r.second === second && r.tenantId === tenantId && r.path === path);
          if (row) row.admitted++;
          else rows.push({ second, tenantId, path, admitted: 1, refused: 0 });
        }
        expect([...log.entries()]).toEqual(rows.slice(-size));
      },
    ),
  );
});

test('a number is used again when nobody holds its name', () => {
  const names = new Names(2);
  const [a, b] = [names.hold('a'), names.hold('b')];
  expect([names.hold('a'), names.find('b'), names.nameOf(a)]).toEqual([a, b, 'a']);
  expect(() => names.hold('c')).toThrow(RangeError);
  names.release(a);
  expect(names.find('a')).toBe(a);
  names.release(a);
  expect([names.find('a'), names.hold('c'), names.size]).toEqual([Number.NEGATIVE_INFINITY, a, 2]);
});
