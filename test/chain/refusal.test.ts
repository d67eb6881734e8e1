import { describe, expect, it } from 'vitest';
import { ErrorInfo, QuotaFailure, RetryInfo } from '../../generated/google/rpc/error_details.ts';
import type { Refusal } from '../../src/chain/call.ts';
import * as refusals from '../../src/chain/refusal.ts';
import { refusalDetails, retryPushback } from '../../src/chain/refusal-details.ts';
import { REFUSALS } from '../../src/chain/refusal-table.ts';
import { decodeStatusDetails, findDetail } from '../../src/grpc/error-details.ts';
import { codeName } from '../../src/grpc/status.ts';

const ID = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b';

const EVERY: readonly Refusal[] = [
  refusals.credentialInvalid(),
  refusals.credentialRevoked(),
  refusals.credentialExpired(),
  refusals.tenantSuspended(),
  refusals.scopeMissing('books.write'),
  refusals.methodUnknown(),
  refusals.rateLimited({ limit: 'calls', retryAfterMs: 12.3, tenantId: 'demo' }),
  refusals.concurrencyLimited({ limit: 20, tenantId: 'demo' }),
  refusals.quotaExhausted({ metric: 'units', limit: 100, resetAt: Date.UTC(2026, 0, 2), tenantId: 'demo' }),
  refusals.backendUnavailable({ backend: 'books', why: 'connect_failed' }),
  refusals.backendProtocolError({ backend: 'books', status: 13, why: 'no trailers' }),
  refusals.deadlineExceeded(),
  refusals.messageMalformed('grpc-timeout', 'is no timeout'),
  refusals.storeUnavailable(),
  refusals.credentialUnverified(),
  refusals.gatewayDraining(),
  refusals.gatewayOverloaded(0),
  refusals.gatewayError(),
  refusals.uniform(),
];

describe('a refusal', () => {
  it.each(EVERY.map((refusal) => [refusal.reason, refusal] as const))(
    '%s is what the table says',
    (reason, refusal) => {
      const row = REFUSALS.find((each) => each.reason === reason)!;
      expect(codeName(refusal.status)).toBe(row.status);
      const pushback = retryPushback(refusal);
      if (row.pushback === 'ms') expect(pushback).toMatch(/^[0-9]+$/);
      else expect(pushback).toBe(row.pushback);

      const status = decodeStatusDetails(refusalDetails(refusal, ID))!;
      expect([status.code, status.message]).toEqual([refusal.status, refusal.message]);
      const types = status.details.map((detail) => detail.typeUrl.slice('type.googleapis.com/google.rpc.'.length));
      expect(types).toEqual(['ErrorInfo', ...row.details]);
      const info = ErrorInfo.decode(findDetail(status, 'google.rpc.ErrorInfo')!);
      expect(info).toEqual({ reason, domain: 'tollgate', metadata: { request_id: ID, ...refusal.metadata } });
    },
  );

  it('is in the table, and the table has no other', () => {
    expect(EVERY.map((refusal) => refusal.reason).sort()).toEqual(REFUSALS.map((row) => row.reason).sort());
  });

  it('carries its own request id each time', () => {
    const refusal = refusals.credentialInvalid();
    const other = ID.replace('0190', '0191');
    for (const id of [ID, other, 'short', 'ü'.repeat(36), 'x'.repeat(200), ID]) {
      const status = decodeStatusDetails(refusalDetails(refusal, id))!;
      expect(ErrorInfo.decode(findDetail(status, 'google.rpc.ErrorInfo')!).metadata).toEqual({ request_id: id });
    }
  });

  it('says which limit, and when to come back', () => {
    const refusal = refusals.rateLimited({ limit: 'search', retryAfterMs: 12.3, tenantId: 'demo' });
    const status = decodeStatusDetails(refusalDetails(refusal, ID))!;
    expect(QuotaFailure.decode(findDetail(status, 'google.rpc.QuotaFailure')!).violations[0]).toMatchObject({
      subject: 'tenant:demo',
      description: 'rate limit "search"',
    });
    expect(RetryInfo.decode(findDetail(status, 'google.rpc.RetryInfo')!).retryDelay).toEqual({
      seconds: 0,
      nanos: 13_000_000,
    });
    expect(retryPushback(refusal)).toBe('13');
  });

  it('of a backend that is down tells a flood few different things', () => {
    const waits = Array.from({ length: 5000 }, (_, ms) =>
      refusals.backendUnavailable({ backend: 'books', why: 'breaker_open', retryAfterMs: ms + 0.5 }),
    );
    expect(new Set(waits.map((refusal) => refusalDetails(refusal, ID))).size).toBe(50);
    for (const [ms, refusal] of waits.entries()) expect(refusal.retryAfterMs).toBeGreaterThan(ms);
  });

  it('is one frozen object where it says nothing of the call', () => {
    expect(refusals.credentialInvalid()).toBe(refusals.credentialInvalid());
    expect(Object.isFrozen(refusals.credentialInvalid())).toBe(true);
    expect(Object.isFrozen(refusals.uniform())).toBe(true);
  });
});
