import { Client, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import { ApiKey, ApiKeyServiceService } from '../../../generated/tollgate/admin/v1/api_key.ts';
import { AdminClient } from '../../support/admin-client.ts';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.ts';

/** Whose credential a call presents. `tenant` has no scope of the gateway's; both tenants' are of `alpha`. */
export const CALLERS = ['owner', 'admin', 'operator', 'viewer', 'tenant', 'tenant_keys'] as const;
export type CallerName = (typeof CALLERS)[number];

const SCOPES: Readonly<Record<CallerName, readonly string[]>> = {
  owner: ['tollgate.owner'],
  admin: ['tollgate.admin'],
  operator: ['tollgate.operator'],
  viewer: ['tollgate.viewer'],
  tenant: ['books.read'],
  tenant_keys: ['tollgate.keys', 'books.read'],
};

/** A gateway with the tenants `alpha` and `beta`, and a key for every kind of caller. */
export class Callers {
  readonly gateway: TestGateway;
  /** With the key that the gateway was started with. */
  readonly admin: AdminClient;
  readonly #keys = new Map<CallerName, string>();
  readonly #client: Client;

  private constructor(gateway: TestGateway) {
    this.gateway = gateway;
    this.admin = new AdminClient(gateway.admin, gateway.adminKey);
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    this.#client = new Client(`127.0.0.1:${gateway.admin}`, credentials.createInsecure(), options);
  }

  static async start(): Promise<Callers> {
    const gateway = await startTestGateway({
      backend: '127.0.0.1:1',
      edit: (config) =>
        void config.listeners.push({ ...config.listeners[0]!, name: 'self', contracts: ['tollgate-self'] }),
    });
    const callers = new Callers(gateway);
    for (const name of CALLERS) callers.#keys.set(name, (await callers.createKey('alpha', SCOPES[name])).key);
    return callers;
  }

  /** A new key of a tenant, made by the owner. */
  async createKey(tenantId: string, scopes: readonly string[]): Promise<{ apiKey: ApiKey; key: string }> {
    const request = { tenantId, apiKey: ApiKey.fromPartial({ name: 'test', scopes: [...scopes] }) };
    const { apiKey, key } = await this.admin.call(ApiKeyServiceService.createApiKey, request);
    if (apiKey === undefined) throw new Error('no key was created');
    return { apiKey, key };
  }

  keyOf(caller: CallerName): string {
    return this.#keys.get(caller) ?? '';
  }

  /** Calls with raw bytes; the status. @param endless the answer is a stream without an end: cancelled when it has begun */
  call(
    caller: CallerName,
    path: string,
    request: Uint8Array,
    endless = false,
  ): Promise<Pick<StatusObject, 'code' | 'details' | 'metadata'>> {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${this.keyOf(caller)}`);
    const pass = (octets: Buffer) => octets;
    return new Promise((resolve) => {
      const deadline = Date.now() + 30_000;
      const stream = this.#client.makeServerStreamRequest(path, pass, pass, Buffer.from(request), metadata, {
        deadline,
      });
      stream.on('error', () => {});
      stream.on('status', resolve);
      stream.on('data', () => {});
      if (endless) stream.on('metadata', () => stream.cancel());
    });
  }

  async stop(): Promise<void> {
    this.admin.close();
    this.#client.close();
    await this.gateway.stop();
  }
}
