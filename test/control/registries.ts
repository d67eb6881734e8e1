import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Registries } from '../../src/control/control-server.ts';
import { openEmbeddedStore } from '../../src/store/embedded/open.ts';
import { openLocalSync } from '../../src/sync/local-sync.ts';
import { DocumentRegistry } from '../../src/tenants/document-registry.ts';
import { KeyRegistry } from '../../src/tenants/keys.ts';
import { PlanRegistry } from '../../src/tenants/plans.ts';
import { TenantRegistry } from '../../src/tenants/tenants.ts';

/** The real registries, over an embedded store in a folder of its own. */
export async function openRegistries(): Promise<Registries & { close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tg-'));
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const store = openEmbeddedStore({ path: join(folder, 'tollgate.db'), clock });
  const { documents } = store;
  const onListenerError = (error: unknown): never => {
    throw error;
  };
  const sync = await openLocalSync({ documents, methods: new Map(), onListenerError });
  return {
    tenants: new TenantRegistry(new DocumentRegistry(documents, sync, 'tenant')),
    plans: new PlanRegistry(new DocumentRegistry(documents, sync, 'plan')),
    keys: new KeyRegistry(new DocumentRegistry(documents, sync, 'api_key'), randomBytes),
    async close() {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}
