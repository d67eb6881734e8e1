import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ClientCertificate } from '../../generated/tollgate/admin/v1/issuer.ts';
import { Tenant, TenantServiceService, UpdateTenantRequest } from '../../generated/tollgate/admin/v1/tenant.ts';
import { ServerTls, ServerTls_ClientAuth } from '../../generated/tollgate/config/v1/config.ts';
import { Code } from '../../src/grpc/status.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient, type Observation } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { AUTHORITY, AUTHORITY_PEM, PAIRS, type TlsPair } from '../support/tls-files.ts';
import { refusalOf } from './refusal-of.ts';

const WEB = 'spiffe://tollgate.test/ns/shop/sa/web';
const backend = new EverythingBackend();
let gateway: TestGateway;
let admin: AdminClient;
const clients: GrpcClient[] = [];

beforeAll(async () => {
  await backend.start();
  gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      const { cert, key } = PAIRS.gateway;
      const clientAuth = ServerTls_ClientAuth.CLIENT_AUTH_OPTIONAL;
      config.listeners[0]!.tls = ServerTls.fromPartial({ cert, key, clientCa: AUTHORITY, clientAuth });
    },
  });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
});
afterAll(async () => {
  for (const client of clients) client.close();
  admin?.close();
  await gateway?.stop();
  await backend.stop();
});

function client(pair: TlsPair | undefined, key?: string): GrpcClient {
  const channel = credentials.createSsl(AUTHORITY_PEM, pair?.pem.key, pair?.pem.cert);
  const made = new GrpcClient(`localhost:${gateway.public}`, key, channel);
  clients.push(made);
  return made;
}

/** Sets whom the tenant's client certificates speak for. */
async function trust(id: string, ...clientCertificates: ClientCertificate[]): Promise<void> {
  const tenant = Tenant.fromPartial({ id, clientCertificates });
  const request = UpdateTenantRequest.fromPartial({ tenant, updateMask: ['client_certificates'] });
  await admin.call(TenantServiceService.updateTenant, request);
}

const uri = ClientCertificate.fromPartial({
  name: 'web',
  san: { $case: 'uri', uri: WEB },
  scopes: ['everything.scoped'],
});
const dns = ClientCertificate.fromPartial({ name: 'shop', san: { $case: 'dns', dns: 'WEB.shop.test' } });

function expectRefused(observation: Observation): void {
  expect(refusalOf(observation)).toMatchObject({ code: Code.UNAUTHENTICATED, reason: 'CREDENTIAL_INVALID' });
}

test('a verified certificate speaks for the tenant that knows its name, where no other credential is in the call', async () => {
  const web = client(PAIRS.client);
  expectRefused(await web.call('Unary'));
  for (const [certificate, id] of [
    [uri, 'x509:web'],
    [dns, 'x509:shop'],
  ] as const) {
    await trust('alpha', certificate);
    // The connection that was refused is not made anew.
    const call = await web.call('Unary', { metadata: { 'x-tenant-id': 'beta', 'x-principal-id': 'root' } });
    expect(call.code).toBe(Code.OK);
    expect(backend.last.metadata).toMatchObject({ 'x-tenant-id': 'alpha', 'x-principal-id': id });
  }
  expect((await web.call('Scoped')).code).toBe(Code.PERMISSION_DENIED);
  await trust('alpha', uri);
  expect((await web.call('Scoped')).code).toBe(Code.OK);
  expectRefused(await client(undefined).call('Unary'));
  expectRefused(await client(PAIRS.shop).call('Unary'));
});

test('a certificate that speaks for somebody and a key are two opinions; one that is nobody’s is none', async () => {
  await trust('alpha', uri);
  expectRefused(await client(PAIRS.client, gateway.key('alpha')).call('Unary'));
  expectRefused(await client(PAIRS.client, gateway.key('beta')).call('Unary'));
  expectRefused(await client(PAIRS.client).call('Unary', { metadata: { 'x-api-key': gateway.key('alpha') } }));
  expectRefused(await client(PAIRS.client).call('Unary', { metadata: { authorization: 'Basic YTpi' } }));
  expect((await client(PAIRS.shop, gateway.key('beta')).call('Unary')).code).toBe(Code.OK);
});

test('a certificate with names of two callers is neither’s, and two tenants cannot have one name', async () => {
  await trust('alpha', uri);
  await trust('beta', dns);
  expectRefused(await client(PAIRS.client).call('Unary'));
  await expect(trust('beta', uri)).rejects.toThrow('is that of "web" of tenant "alpha" too');
  await trust('beta');
  expect((await client(PAIRS.client).call('Unary')).code).toBe(Code.OK);
});

test('calls that run end when the certificate is no longer known', async () => {
  await trust('alpha', uri);
  const web = client(PAIRS.client);
  const begun = Promise.withResolvers<void>();
  const running = web.call('ServerStream', {
    script: { messages: 1, hang: 'after-messages' },
    onMessage: () => begun.resolve(),
  });
  await begun.promise;
  await trust('alpha', { ...uri, scopes: [] });
  expect(refusalOf(await running)).toMatchObject({ code: Code.UNAUTHENTICATED, reason: 'CREDENTIAL_REVOKED' });
  expect((await web.call('Unary')).code).toBe(Code.OK);
  await trust('alpha');
  expectRefused(await web.call('Unary'));
});
