import { randomBytes } from 'node:crypto';
import type { ClientCertificate, Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import type { RateLimit } from '../../generated/tollgate/admin/v1/plan.ts';
import type { Store } from '../../src/store/store.ts';
import type { ConfigSync } from '../../src/sync/config-sync.ts';
import { openLocalSync } from '../../src/sync/local-sync.ts';
import { TenantManager } from '../../src/tenants/tenant-manager.ts';
import { StoreFolder } from '../store/support.ts';

/** A registry on an embedded store of its own. */
export class Registry {
  readonly folder: StoreFolder;
  readonly store: Store;
  readonly sync: ConfigSync;
  readonly manager: TenantManager;

  private constructor(folder: StoreFolder, store: Store, sync: ConfigSync) {
    this.folder = folder;
    this.store = store;
    this.sync = sync;
    const { clock } = folder;
    this.manager = new TenantManager({ documents: store.documents, sync, random: randomBytes, clock });
  }

  static async open(): Promise<Registry> {
    const folder = new StoreFolder();
    const store = folder.open();
    const onListenerError = (error: unknown) => {
      throw error;
    };
    return new Registry(
      folder,
      store,
      await openLocalSync({ documents: store.documents, methods: new Map(), onListenerError }),
    );
  }

  close(): Promise<void> {
    return this.folder.close();
  }

  /** A plan `free`, and tenants of it. */
  async seed(...tenantIds: string[]): Promise<void> {
    await this.manager.createPlan({ planId: 'free', plan: plan() });
    for (const tenantId of tenantIds) await this.manager.createTenant({ tenantId, tenant: tenant() });
  }
}

export const plan = (over: object = {}) => ({
  id: '',
  limits: [],
  quotas: [],
  concurrency: 0,
  priority: 0 as const,
  allowed: [] as string[],
  etag: '',
  ...over,
});
export const tenant = (over: object = {}) => ({
  id: '',
  displayName: '',
  plan: 'free',
  state: 0 as const,
  allowed: [] as string[],
  etag: '',
  issuers: [] as Issuer[],
  clientCertificates: [] as ClientCertificate[],
  ...over,
});
export const apiKey = (over: object = {}) => ({
  id: '',
  tenantId: '',
  name: 'laptop',
  scopes: [] as string[],
  limits: [] as RateLimit[],
  state: 0 as const,
  etag: '',
  ...over,
});
