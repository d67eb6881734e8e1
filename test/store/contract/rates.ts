import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RateStore } from '../../../src/store/store.ts';

export interface RatesFixture {
  readonly rates: RateStore;
  close(): Promise<void>;
}

/** What every store of rate limits does, whoever's clock it goes by. @param open makes an empty one */
export function ratesContract(open: () => Promise<RatesFixture>): void {
  let fixture: RatesFixture;
  let rates: RateStore;

  beforeEach(async () => {
    fixture = await open();
    ({ rates } = fixture);
  });
  afterEach(() => fixture.close());

  describe('rate limits', () => {
    it('begin with their burst, grant a part of what was wanted, and then say when to come back', async () => {
      expect((await rates.take('demo/calls', 0.01, 10, 7)).granted).toBe(7);
      expect((await rates.take('demo/calls', 0.01, 10, 7)).granted).toBe(3);
      const refused = await rates.take('demo/calls', 0.01, 10, 7);
      expect(refused.granted).toBe(0);
      expect(refused.retryAfterMs).toBeGreaterThan(90_000);
      expect(refused.retryAfterMs).toBeLessThanOrEqual(100_001);
    });

    it('are separate by bucket', async () => {
      await rates.take('demo/calls', 0.01, 10, 10);
      expect((await rates.take('demo/search', 0.01, 10, 10)).granted).toBe(10);
      expect((await rates.take('other/calls', 0.01, 10, 10)).granted).toBe(10);
    });

    it('keep what is in use when rate or burst change', async () => {
      await rates.take('demo/calls', 0.01, 10, 10);
      expect((await rates.take('demo/calls', 0.02, 12, 10)).granted).toBe(2);
      expect((await rates.take('demo/calls', 0.02, 5, 10)).granted).toBe(0);
    });
  });
}
