import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../src/store/embedded/open.ts';
import type { Journal } from '../../src/store/journal.ts';
import type { QuotaLedger, RateLedger } from '../../src/store/ledger.ts';
import type { DocumentStore, QuotaStore, RateStore } from '../../src/store/store.ts';
import type { ConfigSync } from '../../src/sync/config-sync.ts';
import { openLocalSync } from '../../src/sync/local-sync.ts';
import { NO_FACTS } from '../../src/tenants/gateway-facts.ts';
import { TenantManager } from '../../src/tenants/tenant-manager.ts';

export interface OpenedTenants {
  readonly tenants: TenantManager;
  readonly documents: DocumentStore;
  readonly journal: Journal;
  readonly sync: ConfigSync;
  readonly quotas: QuotaStore & QuotaLedger;
  readonly rates: RateStore & RateLedger;
  close(): Promise<void>;
}

/** The real registry, over an embedded store in a folder of its own. */
export async function openTenants(): Promise<OpenedTenants> {
  const folder = mkdtempSync(join(tmpdir(), 'tg-'));
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const store = openEmbeddedStore({ path: join(folder, 'tollgate.db'), clock });
  const { documents, journal, quotas, rates } = store;
  const onListenerError = (error: unknown): never => {
    throw error;
  };
  const sync = await openLocalSync({ documents, methods: new Map(), onListenerError });
  const facts = { ...NO_FACTS, listeners: ['public', 'admin'] };
  return {
    tenants: new TenantManager({ documents, sync, random: randomBytes, clock, facts }),
    documents,
    journal,
    sync,
    quotas,
    rates,
    async close() {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}
