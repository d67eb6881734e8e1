import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { QuotaLedger } from '../../../src/store/ledger.ts';
import type { QuotaLeaseRequest, QuotaStore } from '../../../src/store/store.ts';

export interface QuotasFixture {
  readonly quotas: QuotaStore & QuotaLedger;
  /** A period that it is now, by the store's clock. */
  readonly period: { readonly start: number; readonly end: number };
  close(): Promise<void>;
}

/** What every store of quota counters does. @param open makes an empty one */
export function quotasContract(open: () => Promise<QuotasFixture>): void {
  let fixture: QuotasFixture;
  let quotas: QuotaStore & QuotaLedger;

  beforeEach(async () => {
    fixture = await open();
    ({ quotas } = fixture);
  });
  afterEach(() => fixture.close());

  const request = (over: Partial<QuotaLeaseRequest> = {}): QuotaLeaseRequest => ({
    tenantId: 'demo',
    metric: 'units',
    periodStart: fixture.period.start,
    periodEnd: fixture.period.end,
    limit: 100,
    want: 30,
    least: 1,
    ...over,
  });
  /** @returns units granted */
  const lease = async (over: Partial<QuotaLeaseRequest> = {}): Promise<number> => {
    const answer = await quotas.lease(request(over));
    return typeof answer === 'number' ? answer : answer.granted;
  };

  describe('quota counters', () => {
    it('lease what is left, and not a unit more', async () => {
      const taken = [];
      for (let i = 0; i < 5; i++) taken.push(await lease());
      expect(taken).toEqual([30, 30, 30, 10, 0]);
      expect(await quotas.used(request())).toBe(100);
    });

    it('give nothing when less is left than is of use', async () => {
      await lease({ want: 95 });
      expect(await lease({ least: 6 })).toBe(0);
      expect(await lease({ least: 5 })).toBe(5);
    });

    it('are adjusted once for each key: units beyond the limit, or fewer', async () => {
      await lease({ want: 100 });
      expect([await quotas.adjust(request(), 20, 'a'), await quotas.adjust(request(), 20, 'a')]).toEqual([true, false]);
      expect(await quotas.standing(request())).toMatchObject({ total: 100, adjusted: 20 });
      expect([await lease({ want: 30 }), await lease()]).toEqual([20, 0]);
      await quotas.giveBack(request(), 50);
      expect(await quotas.adjust(request(), -60, 'b')).toBe(true);
      expect([await lease(), (await quotas.standing(request())).adjusted]).toEqual([0, -40]);
      await quotas.giveBack(request(), 20);
      expect(await lease({ want: 30 })).toBe(10);
    });

    it('are right however adjustments and leases come between each other', async () => {
      const leases = Array.from({ length: 20 }, () => lease({ want: 9 }));
      const adjustments = Array.from({ length: 10 }, (_, i) =>
        quotas.adjust(request(), i % 2 === 0 ? 10 : -4, `k${i}`),
      );
      const granted = (await Promise.all(leases)).reduce((sum, units) => sum + units, 0);
      await Promise.all(adjustments);
      const rest = await lease({ want: 1000 });
      expect(granted + rest).toBe(130);
      expect(await quotas.standing(request())).toMatchObject({ total: 130, adjusted: 30 });
    });

    it('are separate by tenant, metric and period', async () => {
      await lease({ want: 100 });
      expect(await lease({ tenantId: 'other' })).toBe(30);
      expect(await lease({ metric: 'tokens' })).toBe(30);
      expect(await lease({ periodStart: fixture.period.start + 1 })).toBe(30);
    });

    it('take back what was not used, but never fall below zero', async () => {
      await lease({ want: 100 });
      await quotas.giveBack(request(), 40);
      expect(await quotas.used(request())).toBe(60);
      await quotas.giveBack(request(), 400);
      expect(await quotas.used(request())).toBe(0);
      await quotas.giveBack(request({ tenantId: 'nobody' }), 1);
      expect(await quotas.used(request({ tenantId: 'nobody' }))).toBe(0);
    });

    it('grant nothing while a lowered limit lies below what was used', async () => {
      await lease({ want: 80 });
      expect(await lease({ limit: 50 })).toBe(0);
    });

    it('count as far as a double counts whole numbers', async () => {
      const limit = Number.MAX_SAFE_INTEGER;
      expect(await lease({ limit, want: limit - 1 })).toBe(limit - 1);
      expect(await lease({ limit, want: 5 })).toBe(1);
      expect(await quotas.used(request())).toBe(limit);
    });

    it('agree with a simple model over random leases and returns', async () => {
      const step = fc.oneof(
        fc.record({
          op: fc.constant('lease' as const),
          want: fc.integer({ min: 1, max: 40 }),
          least: fc.integer({ min: 1, max: 20 }),
        }),
        fc.record({ op: fc.constant('giveBack' as const), units: fc.integer({ min: 0, max: 30 }) }),
      );
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 150 }), async (steps, limit) => {
          const tenantId = `run${run++}`;
          // Who has leased nothing has nothing to give back.
          let used = await lease({ tenantId, limit, want: 1 });
          for (const s of steps) {
            if (s.op === 'giveBack') {
              await quotas.giveBack(request({ tenantId }), s.units);
              used = Math.max(0, used - s.units);
            } else {
              const n = Math.min(s.want, limit - used);
              const expected = n > 0 && n >= s.least ? n : 0;
              expect(await lease({ tenantId, limit, want: s.want, least: s.least })).toBe(expected);
              used += expected;
            }
            expect(await quotas.used(request({ tenantId }))).toBe(used);
          }
        }),
        { numRuns: 40 },
      );
    });
  });
}
