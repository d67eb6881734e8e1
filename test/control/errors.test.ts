import { expect, test } from 'vitest';
import { ErrorInfo } from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import { GetMetricsRequest, MetricsServiceService } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { toErrorStatus } from '../../src/control/error-status.ts';
import { findDetail, STATUS_DETAILS_KEY } from '../../src/grpc/error-details.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import {
  AlreadyExists,
  EtagMismatch,
  FailedPrecondition,
  InvalidArgument,
  NotFound,
} from '../../src/tenants/errors.ts';
import { readDetails } from './details.ts';
import { fakeMetrics, REQUEST_ID, startFixture } from './fixture.ts';
import { noTenants } from './no-tenants.ts';

const silent = createLogger('silent', { write: () => {} });
const requestId = { request_id: REQUEST_ID };

test.each([
  [new NotFound('tenant', 'acme'), 5, { reason: 'NOT_FOUND', metadata: { ...requestId, tenant: 'acme' } }, {}],
  [new AlreadyExists('plan', 'free'), 6, { reason: 'ALREADY_EXISTS', metadata: { ...requestId, plan: 'free' } }, {}],
  [
    new EtagMismatch('tenant', 'acme', 'v7'),
    10,
    { reason: 'ETAG_MISMATCH', metadata: { ...requestId, etag: 'v7' } },
    {},
  ],
  [
    new FailedPrecondition('plan "free" is in use', { type: 'PLAN_IN_USE', subject: 'tenants/acme' }),
    9,
    { reason: 'PLAN_IN_USE', metadata: requestId },
    {
      preconditions: [{ type: 'PLAN_IN_USE', subject: 'tenants/acme', description: 'plan "free" is in use' }],
    },
  ],
  [
    new InvalidArgument('page_token', 'is wrong'),
    3,
    { reason: 'INVALID_REQUEST', metadata: requestId },
    { fields: [{ field: 'page_token', description: 'is wrong' }] },
  ],
])('%s is told with its status and details', (error, code, info, more) => {
  const status = toErrorStatus(error, REQUEST_ID, silent);
  expect(status.code).toBe(code);
  expect(status.details).toBe(error.message);
  expect(readDetails(status.metadata)).toEqual({
    code,
    message: error.message,
    info: { domain: 'tollgate', ...info },
    fields: [],
    preconditions: [],
    ...more,
  });
});

test('an error that nobody expected is logged with its cause, and told without it', async () => {
  const fixture = await startFixture({
    tenants: noTenants(),
    metrics: fakeMetrics(() => {
      throw new Error('disk on fire at /secret/path');
    }),
  });
  try {
    const error = await fixture.failure(MetricsServiceService.getMetrics, GetMetricsRequest.fromPartial({}));
    expect([error.code, error.details]).toEqual([13, 'internal error']);
    expect(JSON.stringify(error.metadata.getMap())).not.toContain('fire');
    const logged = fixture.log.map((line) => JSON.parse(line)).find(({ level }) => level === 'error');
    expect(logged).toMatchObject({ request_id: REQUEST_ID, err: { message: 'disk on fire at /secret/path' } });
  } finally {
    await fixture.stop();
  }
});

test('without a request id the details have none', () => {
  const { metadata } = toErrorStatus(new NotFound('tenant', 'x'), '', silent);
  const value = metadata.get(STATUS_DETAILS_KEY)[0];
  const info = findDetail(Status.decode(value as Buffer), 'google.rpc.ErrorInfo');
  expect(ErrorInfo.decode(info!).metadata).toEqual({ tenant: 'x' });
});
