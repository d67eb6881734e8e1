import { afterAll, beforeAll, expect, test } from 'vitest';
import { Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { everythingPath } from '../support/everything-methods.ts';
import { grpcRequest, H2Client, HELLO } from '../support/h2-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { TokenIssuer } from '../support/token-issuer.ts';

const PATH = everythingPath('Unary');
const issuer = new TokenIssuer();
const backend = new EverythingBackend();
let gateway: TestGateway;
let client: H2Client;

beforeAll(async () => {
  await Promise.all([issuer.start(), backend.start()]);
  gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      const keys = { $case: 'jwksUrl', jwksUrl: issuer.jwksUrl } as const;
      config.tenants[0]!.issuers = [Issuer.fromPartial({ issuer: issuer.url, audiences: ['shop'], keys })];
    },
  });
  client = await H2Client.connect(`http://127.0.0.1:${gateway.public}`);
});
afterAll(async () => {
  client?.close();
  await gateway?.stop();
  await Promise.all([issuer.stop(), backend.stop()]);
});

async function answer(headers: Record<string, string | string[]>): Promise<readonly [unknown, unknown]> {
  const { headers: got, trailers } = await client.request({ ...grpcRequest(PATH, undefined), ...headers }, HELLO);
  return [got['grpc-status'] ?? trailers['grpc-status'], got['grpc-message'] ?? trailers['grpc-message']];
}

test('one credential is one opinion', async () => {
  const [key, token] = [gateway.key('alpha'), issuer.token()];
  for (const headers of [
    { authorization: `Bearer ${key}` },
    { authorization: `bearer   ${token}` },
    { 'x-api-key': key },
    { 'x-api-key': token },
  ] as Record<string, string>[]) {
    expect((await answer(headers))[0]).toBe('0');
  }
});

test('more than one, or the same header twice, is refused like none, whatever each is worth', async () => {
  const [key, token] = [gateway.key('alpha'), issuer.token()];
  const refused = await answer({});
  expect(refused[0]).toBe('16');
  for (const headers of [
    { authorization: `Bearer ${key}`, 'x-api-key': key },
    { authorization: `Bearer ${token}`, 'x-api-key': key },
    { authorization: `Bearer ${key}`, 'x-api-key': gateway.key('beta') },
    { authorization: `Bearer ${key}`, 'x-api-key': '' },
    { authorization: 'Basic YTpi', 'x-api-key': key },
    { 'x-api-key': [key, key] },
    { authorization: `Bearer ${key}, Bearer ${key}` },
    { authorization: `Bearer ${key},Bearer ${token}` },
    { authorization: `Bearer Bearer ${key}` },
    { 'x-api-key': `${key}, ${key}` },
    { authorization: key },
    { authorization: `Basic ${Buffer.from(`x:${key}`).toString('base64')}` },
    { cookie: `authorization=Bearer ${key}` },
    { 'proxy-authorization': `Bearer ${key}` },
    { 'x-tenant-id': 'alpha', 'x-principal-id': 'root' },
  ] as Record<string, string | string[]>[]) {
    expect([headers, await answer(headers)]).toEqual([headers, refused]);
  }
});
