import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { counterOf } from '../../src/quota/meter.ts';
import { QuotaTracker } from '../../src/quota/quota-tracker.ts';
import { openEmbeddedStore } from '../../src/store/embedded/open.ts';
import type { Store } from '../../src/store/store.ts';
import { fakeCall, fakePlan } from '../chain/fake-call.ts';

const NOON = Date.UTC(2026, 4, 17, 12);
const QUOTA = { metric: 'units', limit: 2000, period: 'day', timeZone: 'UTC', anchor: 0 } as const;
const PLAN = fakePlan({ quotas: [QUOTA] });

describe('with the embedded store', () => {
  let folder = '';
  let store: Store;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tollgate-quota-'));
    open();
  });

  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  function open(): void {
    store = openEmbeddedStore({ path: join(folder, 'tollgate.db'), clock: { now: () => NOON, monotonic: () => 0 } });
  }

  function newTracker(): QuotaTracker {
    return new QuotaTracker({ quotas: store.quotas, now: () => NOON });
  }

  function admit(tracker: QuotaTracker, calls: number): number {
    let admitted = 0;
    for (let i = 0; i < calls; i++) if (tracker.admit(fakeCall('demo', PLAN)) === undefined) admitted++;
    return admitted;
  }

  it('a stop without grace burns at most a lease, and the quota holds over all of them', async () => {
    let admitted = 0;
    for (let crash = 0; crash < 3; crash++) {
      admitted += admit(newTracker(), 333);
      await store.close();
      open();
    }
    admitted += admit(newTracker(), 5000);
    expect(admitted).toBeLessThanOrEqual(2000);
    expect(admitted).toBeGreaterThanOrEqual(2000 - 3 * 20);
  });

  it('a graceful stop burns nothing', async () => {
    const tracker = newTracker();
    admit(tracker, 333);
    await tracker.drain();
    const counter = { tenantId: 'demo', metric: counterOf(QUOTA), periodStart: Date.UTC(2026, 4, 17) };
    expect(await store.quotas.used(counter)).toBe(333);
    expect(admit(newTracker(), 5000)).toBe(2000 - 333);
  });
});
