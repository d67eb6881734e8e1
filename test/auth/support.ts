import { ClientCertificate, Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { AuthenticationManager, type AuthenticationOptions } from '../../src/auth/authentication-manager.ts';
import type { Call, Refusal } from '../../src/chain/call.ts';
import type { MethodEntry } from '../../src/contracts/method-entry.ts';
import type { Document } from '../../src/store/store.ts';
import { apiKey, Registry, tenant } from '../tenants/support.ts';

export function method(over: Partial<MethodEntry['policy']> = {}): MethodEntry {
  return {
    path: '/books.Books/Get',
    name: 'books.Books/Get',
    contract: 'books',
    backend: 'books',
    kind: 'unary',
    policy: {
      requiredScopes: [],
      anyScopes: [],
      cost: 1,
      maxDeadlineMs: undefined,
      idempotent: false,
      limit: undefined,
      public: false,
      ...over,
    },
  };
}

/** An authentication over a real registry, with a gate before the store. */
export class AuthFixture {
  readonly registry: Registry;
  readonly auth: AuthenticationManager;
  readonly storeErrors: unknown[] = [];
  /** Look-ups that reached the store. */
  lookups = 0;
  /** What a look-up waits for before, and after, the store answers. */
  before: Promise<unknown> | undefined;
  after: Promise<unknown> | undefined;

  private constructor(registry: Registry, options: Partial<AuthenticationOptions>) {
    this.registry = registry;
    this.auth = new AuthenticationManager({
      documents: { getByHash: (_, hash) => this.#getByHash(hash) },
      sync: registry.sync,
      clock: registry.folder.clock,
      onStoreError: (error) => void this.storeErrors.push(error),
      ...options,
    });
  }

  static async open(options: Partial<AuthenticationOptions> = {}): Promise<AuthFixture> {
    const registry = await Registry.open();
    await registry.seed('demo');
    return new AuthFixture(registry, options);
  }

  async close(): Promise<void> {
    this.auth.close();
    await this.registry.close();
  }

  async key(over: object = {}, tenantId = 'demo'): Promise<{ text: string; id: string }> {
    const { apiKey: created, key } = await this.registry.manager.createApiKey({ tenantId, apiKey: apiKey(over) });
    return { text: key, id: created?.id ?? '' };
  }

  /** Changes the tenant, and gives it whom it trusts. */
  async trust(
    issuers: readonly Partial<Issuer>[],
    certificates: readonly Partial<ClientCertificate>[] = [],
    id = 'demo',
  ) {
    const changed = tenant({
      id,
      issuers: issuers.map((issuer) => Issuer.fromPartial({ audiences: ['shop'], ...issuer })),
      clientCertificates: certificates.map((certificate) => ClientCertificate.fromPartial(certificate)),
    });
    await this.registry.manager.updateTenant({ tenant: changed, updateMask: ['issuers', 'client_certificates'] });
  }

  call(text: string, over: Partial<Call> = {}): Call {
    return {
      startedAt: 0,
      snapshot: this.registry.sync.current,
      method: method(),
      credential: { text, entry: undefined },
      remoteAddress: '127.0.0.1',
      peerIdentity: undefined,
      principal: undefined,
      tenant: undefined,
      plan: undefined,
      reservedUnits: 0,
      countedBy: undefined,
      ...over,
    };
  }

  async admit(text: string, over: Partial<Call> = {}): Promise<Refusal | undefined> {
    return this.auth.admit(this.call(text, over));
  }

  async #getByHash(hash: string): Promise<Document | undefined> {
    this.lookups++;
    await this.before;
    const document = await this.registry.store.documents.getByHash('api_key', hash);
    await this.after;
    return document;
  }
}
