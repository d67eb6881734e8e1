import { describe, expect, it } from 'vitest';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  RetryInfo,
} from '../../generated/google/rpc/error_details.ts';
import {
  badRequest,
  decodeStatusDetails,
  encodeStatusDetails,
  errorInfo,
  findDetail,
  preconditionFailure,
  quotaFailure,
  retryInfo,
} from '../../src/grpc/error-details.ts';

describe('error details', () => {
  it('come back as they were packed', () => {
    const value = encodeStatusDetails(8, 'slow down', [
      errorInfo('RATE_LIMITED', 'tollgate', { request_id: 'r' }),
      quotaFailure('tenant:a', 'calls'),
      retryInfo(1500.25),
      badRequest([{ field: 'name', description: 'is empty' }]),
      preconditionFailure('IN_USE', 'plan:free', 'has tenants'),
    ]);
    expect(value).toMatch(/^[A-Za-z0-9+/]+$/);
    const status = decodeStatusDetails(value)!;
    expect([status.code, status.message, status.details.length]).toEqual([8, 'slow down', 5]);
    expect(ErrorInfo.decode(findDetail(status, 'google.rpc.ErrorInfo')!)).toEqual({
      reason: 'RATE_LIMITED',
      domain: 'tollgate',
      metadata: { request_id: 'r' },
    });
    expect(QuotaFailure.decode(findDetail(status, 'google.rpc.QuotaFailure')!).violations[0]).toMatchObject({
      subject: 'tenant:a',
      description: 'calls',
    });
    expect(RetryInfo.decode(findDetail(status, 'google.rpc.RetryInfo')!).retryDelay).toEqual({
      seconds: 1,
      nanos: 500_250_000,
    });
    expect(BadRequest.decode(findDetail(status, 'google.rpc.BadRequest')!).fieldViolations[0]).toMatchObject({
      field: 'name',
    });
    expect(PreconditionFailure.decode(findDetail(status, 'google.rpc.PreconditionFailure')!).violations).toEqual([
      { type: 'IN_USE', subject: 'plan:free', description: 'has tenants' },
    ]);
    expect(findDetail(status, 'google.rpc.Help')).toBeUndefined();
  });

  it('are undefined when the text is no status', () => {
    expect(decodeStatusDetails('***')).toBeUndefined();
    expect(decodeStatusDetails('/////w')).toBeUndefined();
  });
});
