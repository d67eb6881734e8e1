import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  MetricsServiceService,
  WatchMetricsRequest,
  WatchMetricsResponse,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { MESSAGE_PREFIX } from '../../src/grpc/message-prefix.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { grpcMessage } from '../support/frames.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

// What libraries for gRPC do not show: whether messages were compressed on their way.

let backend: EverythingBackend;
let gateway: TestGateway;
let session: ClientHttp2Session;

beforeAll(async () => {
  backend = await new EverythingBackend().start();
  gateway = await startTestGateway({ backend: backend.address });
  session = connect(`http://127.0.0.1:${gateway.admin}`);
});
afterAll(async () => {
  session.destroy();
  await gateway.stop();
  await backend.stop();
});

/** The answer's encoding, and its first message. */
async function watch(accepted: Record<string, string>) {
  const { path, requestSerialize } = MetricsServiceService.watchMetrics;
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    te: 'trailers',
    'content-type': 'application/grpc',
    authorization: `Bearer ${gateway.adminKey}`,
    ...accepted,
  });
  stream.end(grpcMessage(requestSerialize(WatchMetricsRequest.fromPartial({}))));
  const [headers] = (await once(stream, 'response')) as [Record<string, string>];
  let read = Buffer.alloc(0);
  for await (const piece of stream) {
    read = Buffer.concat([read, piece as Buffer]);
    if (read.length >= MESSAGE_PREFIX && read.length >= MESSAGE_PREFIX + read.readUInt32BE(1)) break;
  }
  const end = MESSAGE_PREFIX + read.readUInt32BE(1);
  return { encoding: headers['grpc-encoding'], flag: read[0], payload: read.subarray(MESSAGE_PREFIX, end) };
}

test('who says that it takes gzip is sent that', async () => {
  const { encoding, flag, payload } = await watch({ 'grpc-accept-encoding': 'identity,deflate,gzip' });
  expect([encoding, flag]).toEqual(['gzip', 1]);
  const { sinceStart, metrics } = WatchMetricsResponse.decode(gunzipSync(payload));
  expect([sinceStart, metrics?.gateways.length]).toEqual([true, 1]);
});

test.each<[string, Record<string, string>]>([
  ['says nothing of encodings', {}],
  ['takes others', { 'grpc-accept-encoding': 'identity,deflate' }],
])('who %s is sent messages as they are', async (_who, accepted) => {
  const { encoding, flag, payload } = await watch(accepted);
  expect([encoding ?? 'identity', flag]).toEqual(['identity', 0]);
  expect(WatchMetricsResponse.decode(payload).metrics?.gateways).toHaveLength(1);
});
