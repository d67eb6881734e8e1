import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorInfo } from '../../generated/google/rpc/error_details.ts';
import { Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { decodeStatusDetails, findDetail } from '../../src/grpc/error-details.ts';
import { tokenAttacks } from '../auth/token-attacks.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { everythingPath } from '../support/everything-methods.ts';
import { grpcRequest, H2Client, HELLO } from '../support/h2-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { newSigningKey, TokenIssuer } from '../support/token-issuer.ts';

const RSA = newSigningKey('RS256', 'rsa');
const issuer = new TokenIssuer([newSigningKey('ES256', 'main'), RSA]);
const bait = new TokenIssuer();
const backend = new EverythingBackend();
let gateway: TestGateway;
let wide: H2Client;
let narrow: H2Client;

beforeAll(async () => {
  await Promise.all([issuer.start(), bait.start(), backend.start()]);
  gateway = await startTestGateway({
    backend: backend.address,
    logLevel: 'trace',
    edit: (config) => {
      const [first] = config.listeners;
      // Takes headers in which a token of 64 KB has room: it is refused by authentication, else for the headers' length.
      config.listeners.push({ ...first!, name: 'wide', limits: { maxHeaderListOctets: 131_072 } });
      config.authentication = { httpHosts: [], ca: '', failures: { burst: 100_000, exempt: [] } };
      config.tenants[0]!.issuers = [
        Issuer.fromPartial({
          issuer: issuer.url,
          audiences: ['shop'],
          keys: { $case: 'jwksUrl', jwksUrl: issuer.jwksUrl },
          algorithms: ['ES256', 'RS256'],
        }),
      ];
    },
  });
  wide = await H2Client.connect(`http://127.0.0.1:${gateway.port('wide')}`, { maxSendHeaderBlockLength: 1 << 20 });
  narrow = await H2Client.connect(`http://127.0.0.1:${gateway.public}`, { maxSendHeaderBlockLength: 1 << 20 });
});
afterAll(async () => {
  wide?.close();
  narrow?.close();
  await gateway?.stop();
  await Promise.all([issuer.stop(), bait.stop(), backend.stop()]);
});

/** What a client gets, with the request id, which differs, put out of the details. */
async function refusalOn(client: H2Client, token: string) {
  const { headers, status } = await client.request(grpcRequest(everythingPath('Unary'), token), HELLO);
  const packed = Buffer.from(String(headers['grpc-status-details-bin']), 'base64');
  const details = decodeStatusDetails(packed.toString('base64'));
  const info = details && ErrorInfo.decode(findDetail(details, 'google.rpc.ErrorInfo')!);
  const id = info?.metadata.request_id ?? '';
  const names = Object.keys(headers).filter((name) => name !== ':status');
  return {
    status,
    answer: {
      names,
      grpcStatus: headers['grpc-status'],
      message: decodeURIComponent(String(headers['grpc-message'])),
      details: packed.toString('latin1').replace(id, 'ID'),
    },
  };
}

test('a good token is let in, so what follows is refused for what is wrong with it', async () => {
  for (const token of [
    issuer.token(),
    issuer.token({ aud: ['post', 'shop'] }, { typ: 'at+jwt' }),
    issuer.token({}, { typ: 'application/at+jwt' }),
  ]) {
    expect(await wide.grpc(everythingPath('Unary'), token)).toBe(0);
  }
  expect(issuer.fetches).toBe(1);
});

test('every attack on tokens gets one and the same answer; nothing is fetched, and nothing logged of the token', async () => {
  const { answer: expected } = await refusalOn(wide, 'tg_unknown_0123456789abcdef_0123456789abcdef0123456789');
  expect(expected).toMatchObject({ grpcStatus: '16', message: expect.stringContaining('No valid credential') });
  const attacks = tokenAttacks(issuer, RSA, bait);
  const seen: unknown[] = [];
  for (const { name, token } of attacks) seen.push([name, await refusalOn(wide, token)]);
  expect(seen).toEqual(attacks.map(({ name }) => [name, { status: 200, answer: expected }]));
  // The keys were fetched for the first good token; attacks came within the 30 s in which nobody asks again.
  expect([issuer.fetches, bait.fetches, bait.discoveries]).toEqual([1, 0, 0]);
  const log = gateway.logs.join('');
  expect(log).toContain('CREDENTIAL_INVALID');
  for (const { name, token } of attacks) {
    for (const piece of token.split(/[., ]/).filter((text) => text.length >= 12)) {
      expect([name, log.includes(piece)]).toEqual([name, false]);
    }
  }
});

test('a token that does not fit into the headers gets it too: gRPC goes by its status, HTTP sees 431', async () => {
  const { answer: expected } = await refusalOn(narrow, 'short');
  const tooLong = issuer.token({ x: 'x'.repeat(49_000) });
  expect(await refusalOn(narrow, tooLong)).toEqual({ status: 431, answer: expected });
});
