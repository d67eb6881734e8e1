import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiKey, ApiKey_State, ApiKeyServiceService } from '../../generated/tollgate/admin/v1/api_key.ts';
import { Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { Tenant_State } from '../../generated/tollgate/admin/v1/tenant.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { everythingPath } from '../support/everything-methods.ts';
import { Flag, FrameCutter, FrameType, frame, headers } from '../support/frames.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { newSigningKey, signToken, TokenIssuer } from '../support/token-issuer.ts';

const issuer = new TokenIssuer();
const backend = new EverythingBackend();
let gateway: TestGateway;
let admin: AdminClient;

beforeAll(async () => {
  await Promise.all([issuer.start(), backend.start()]);
  gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      const keys = { $case: 'jwksUrl', jwksUrl: issuer.jwksUrl } as const;
      config.tenants[0]!.issuers = [Issuer.fromPartial({ issuer: issuer.url, audiences: ['shop'], keys })];
      config.listeners[0]!.trustRequestId = true;
    },
  });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
});
afterAll(async () => {
  admin?.close();
  await gateway?.stop();
  await Promise.all([issuer.stop(), backend.stop()]);
});

/** One call on a connection of its own, so that HPACK has no state. @returns what came back on its stream, octet by octet */
async function onTheWire(fields: readonly (readonly [string, string])[]): Promise<string> {
  const socket = connect(gateway.public, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
  socket.write(frame(FrameType.SETTINGS, 0, 0));
  const all = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', everythingPath('Unary')],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    // The client's own id is kept, so that nothing differs by right.
    ['x-request-id', '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b'],
    ...fields,
  ] as const;
  socket.write(headers(1, all, Flag.END_HEADERS | Flag.END_STREAM));
  const cutter = new FrameCutter(false);
  const seen: string[] = [];
  for await (const chunk of socket) {
    if (!Buffer.isBuffer(chunk)) continue;
    const frames = cutter.push(chunk).filter(({ stream }) => stream === 1);
    seen.push(...frames.map(({ type, flags, payload }) => `${type} ${flags} ${payload.toString('latin1')}`));
    if (frames.some(({ flags }) => (flags & Flag.END_STREAM) !== 0)) break;
  }
  return seen.join('\n');
}

const bearer = (text: string) => [['authorization', `Bearer ${text}`]] as const;

test('whatever is wrong with a credential, the answer is the same, octet by octet', async () => {
  const revoked = await admin.createKey('alpha', 'revoked');
  const disabled = await admin.createKey('alpha', 'disabled');
  const expired = await admin.createKey('alpha', 'expired');
  await admin.deleteKey(revoked.id);
  const update = (id: string, change: Partial<ApiKey>, ...updateMask: string[]) =>
    admin.call(ApiKeyServiceService.updateApiKey, { apiKey: ApiKey.fromPartial({ id, ...change }), updateMask });
  await update(disabled.id, { state: ApiKey_State.STATE_DISABLED }, 'state');
  await update(expired.id, { expireTime: new Date(Date.now() - 1000) }, 'expire_time');
  const suspended = gateway.key('beta');
  await admin.updateTenant('beta', { state: Tenant_State.STATE_SUSPENDED });
  const unknown = `${revoked.key.slice(0, -6)}zzzzzz`;
  const stranger = newSigningKey('ES256', 'stranger');

  const expected = await onTheWire(bearer(unknown));
  expect(expected).toContain('grpc-status');
  const wrong = {
    'an unknown key, again': bearer(unknown),
    'no credential': [],
    'a revoked key': bearer(revoked.key),
    'a disabled key': bearer(disabled.key),
    'an expired key': bearer(expired.key),
    'a malformed key': bearer('nonsense'),
    'a malformed key, long': bearer('x'.repeat(300)),
    'a malformed key with blanks': bearer('tg a b'),
    'an empty key': [['x-api-key', '']] as const,
    'a key of a suspended tenant': bearer(suspended),
    'a key, and once more': [...bearer(gateway.key('alpha')), ...bearer(gateway.key('alpha'))],
    'a token of a stranger': bearer(signToken(issuer.parts({}, { kid: 'stranger' }), stranger)),
    'a token with a false signature': bearer(signToken(issuer.parts(), stranger)),
    'a token of an issuer that nobody trusts': bearer(issuer.token({ iss: 'https://other.test' })),
    'an expired token': bearer(issuer.token({ exp: 1 })),
    'a token that is too long': bearer(issuer.token({ x: 'x'.repeat(9000) })),
    'another scheme': [['authorization', 'Basic YTpi']] as const,
  };
  for (const [name, fields] of Object.entries(wrong)) {
    expect([name, await onTheWire(fields)]).toEqual([name, expected]);
    // Known by now to be wrong, where it was not before.
    expect([name, await onTheWire(fields)]).toEqual([name, expected]);
  }
  expect(await onTheWire(bearer(gateway.key('alpha')))).not.toBe(expected);
});
