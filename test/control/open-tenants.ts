import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../src/store/embedded/open.ts';
import { openLocalSync } from '../../src/sync/local-sync.ts';
import { TenantManager } from '../../src/tenants/tenant-manager.ts';

/** The real registry, over an embedded store in a folder of its own. */
export async function openTenants(): Promise<{ tenants: TenantManager; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tg-'));
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const store = openEmbeddedStore({ path: join(folder, 'tollgate.db'), clock });
  const { documents } = store;
  const onListenerError = (error: unknown): never => {
    throw error;
  };
  const sync = await openLocalSync({ documents, methods: new Map(), onListenerError });
  return {
    tenants: new TenantManager({ documents, sync, random: randomBytes, clock }),
    async close() {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}
