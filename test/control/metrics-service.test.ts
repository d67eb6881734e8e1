import { expect, test } from 'vitest';
import {
  GetMetricsRequest,
  GetMetricsResponse,
  GetMetricsRequest_Label as Label,
  MetricsServiceService,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { readDetails } from './details.ts';
import { fakeMetrics, REQUEST_ID, startFixture } from './fixture.ts';
import { noTenants } from './no-tenants.ts';

test('GetMetrics hands the request over and gives what was counted', async () => {
  const asked: GetMetricsRequest[] = [];
  const response = GetMetricsResponse.fromPartial({
    series: [{ tenantId: 'acme', method: 'a.B/C', status: 'OK', calls: 3 }],
    refusals: { RATE_LIMITED: 2 },
    backends: [{ backend: 'shop', calls: 5 }],
  });
  const metrics = fakeMetrics(async (request) => {
    asked.push(request);
    return response;
  });
  const fixture = await startFixture({ tenants: noTenants(), metrics });
  try {
    const request = GetMetricsRequest.fromPartial({ tenantId: 'acme', groupBy: [Label.LABEL_METHOD] });
    expect(await fixture.call(MetricsServiceService.getMetrics, request)).toEqual(response);
    expect(asked).toEqual([request]);
  } finally {
    await fixture.stop();
  }
});

test.each([[[0]], [[1, 7]]])('labels %j are refused, and the handler never sees them', async (groupBy) => {
  const fixture = await startFixture({
    tenants: noTenants(),
    metrics: fakeMetrics(() => {
      throw new Error('must not be reached');
    }),
  });
  try {
    const request = GetMetricsRequest.fromPartial({});
    const error = await fixture.failure(MetricsServiceService.getMetrics, {
      ...request,
      groupBy: groupBy as GetMetricsRequest['groupBy'],
    });
    expect(error.code).toBe(3);
    const details = readDetails(error.metadata);
    expect(details.info).toEqual({
      reason: 'INVALID_REQUEST',
      domain: 'tollgate',
      metadata: { request_id: REQUEST_ID },
    });
    expect(details.fields).toEqual([{ field: `group_by[${groupBy.length - 1}]`, description: expect.any(String) }]);
  } finally {
    await fixture.stop();
  }
});

test('each call leaves a line with who called', async () => {
  const fixture = await startFixture({ tenants: noTenants() });
  try {
    await fixture.call(MetricsServiceService.getMetrics, GetMetricsRequest.fromPartial({}));
    expect(fixture.log.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({
        level: 'debug',
        method: 'tollgate.metrics.v1.MetricsService/GetMetrics',
        status: 'OK',
        tenant: 'admins',
        principal: 'key1',
        request_id: REQUEST_ID,
      }),
    );
  } finally {
    await fixture.stop();
  }
});
