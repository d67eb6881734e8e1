import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { quotasContract } from '../contract/quotas.ts';
import { StoreFolder } from '../support.ts';

const DAY = 24 * 3600_000;
let folder: StoreFolder;
let store: Store;

beforeEach(() => {
  folder = new StoreFolder();
  store = folder.open();
});
afterEach(() => folder.close());

const request = (over: object = {}) => ({
  tenantId: 'demo',
  metric: 'units',
  periodStart: 0,
  periodEnd: 1_700_000_000_000 + DAY,
  limit: 100,
  want: 30,
  least: 1,
  ...over,
});

quotasContract(async () => {
  const own = new StoreFolder();
  const now = own.clock.now();
  return { quotas: own.open().quotas, period: { start: now - DAY / 2, end: now + DAY / 2 }, close: () => own.close() };
});

describe('quota counters in SQLite', () => {
  it('survive a reopen', async () => {
    await store.quotas.lease(request());
    store = await folder.reopen(store);
    expect(await store.quotas.used(request())).toBe(30);
  });

  it('are purged some days after their period, in pieces', async () => {
    for (let i = 0; i < 450; i++) await store.quotas.lease(request({ tenantId: `t${i}` }));
    folder.clock.ms += 9 * DAY;
    const now = request({ tenantId: 'now', periodStart: folder.clock.ms, periodEnd: folder.clock.ms + DAY });
    for (let i = 0; i < 3; i++) await store.quotas.lease(now);
    expect(await store.quotas.used(request({ tenantId: 't0' }))).toBe(0);
    expect(await store.quotas.used(request({ tenantId: 't449' }))).toBe(0);
    expect(await store.quotas.used(now)).toBe(90);
  });

  it('agree with a simple model over random leases, returns and reopens', async () => {
    const step = fc.oneof(
      fc.record({
        op: fc.constant('lease' as const),
        want: fc.integer({ min: 1, max: 40 }),
        least: fc.integer({ min: 1, max: 20 }),
      }),
      fc.record({ op: fc.constant('giveBack' as const), units: fc.integer({ min: 0, max: 30 }) }),
      fc.record({ op: fc.constant('reopen' as const) }),
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer({ min: 0, max: 150 }), async (steps, limit) => {
        const key = { tenantId: `run${run++}`, limit };
        let used = 0;
        for (const s of steps) {
          if (s.op === 'reopen') store = await folder.reopen(store);
          else if (s.op === 'giveBack') {
            await store.quotas.giveBack(request(key), s.units);
            used = Math.max(0, used - s.units);
          } else {
            const n = Math.min(s.want, limit - used);
            const expected = n > 0 && n >= s.least ? n : 0;
            expect(await store.quotas.lease(request({ ...key, want: s.want, least: s.least }))).toBe(expected);
            used += expected;
          }
          expect(await store.quotas.used(request(key))).toBe(used);
        }
      }),
      { numRuns: 40 },
    );
  });
});
