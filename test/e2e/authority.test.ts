import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client, HeaderBlock, type StreamHandler } from '../../src/http2/index.ts';
import { HEADER_NAMES } from '../../src/routing/header-names.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { everythingPath } from '../support/everything-methods.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

// A request needs no `:authority` (RFC 9113 section 8.3.1), but servers on nghttp2 refuse those without: grpc-js in Node, which the
// gateway's own services are on, and so are these backends.

let backend: EverythingBackend;
let gateway: TestGateway;
beforeAll(async () => {
  backend = await new EverythingBackend().start();
  gateway = await startTestGateway({ backend: backend.address });
});
afterAll(async () => {
  await gateway?.stop();
  await backend?.stop();
});

/** Makes a call with an empty message. @returns its `grpc-status` */
async function call(port: number, path: string, key: string, more: Readonly<Record<string, string>>): Promise<string> {
  const fields = {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${key}`,
    ...more,
  };
  const block = new HeaderBlock(Object.entries(fields).map(([name, value]) => HEADER_NAMES.field(name, value)));
  const { promise, resolve } = Promise.withResolvers<string>();
  const handler: StreamHandler = {
    onHeaders: (_, headers, end) => end && resolve(headers.get('grpc-status') ?? 'none'),
    onData: (stream, _buffer, start, end) => stream.consume(end - start),
    onTrailers: (_, trailers) => resolve(trailers.get('grpc-status') ?? 'none'),
    onSent() {},
    onReset: () => resolve('reset'),
  };
  const client = new Client({ target: { host: '127.0.0.1', port }, names: HEADER_NAMES });
  client.request(handler, block, undefined, false).sendData(Buffer.alloc(5), 0, 5, true);
  return promise.finally(() => client.close());
}

test.each([
  ['without an authority', {}],
  ['with `host` instead', { host: 'gateway.example:7400' }],
])('a request %s is served, by the gateway and by backends', async (_what, more) => {
  const { adminKey } = gateway;
  expect(await call(gateway.admin, '/tollgate.admin.v1.TenantService/ListTenants', adminKey, more)).toBe('0');
  expect(await call(gateway.public, everythingPath('Unary'), gateway.key('alpha'), more)).toBe('0');
});
