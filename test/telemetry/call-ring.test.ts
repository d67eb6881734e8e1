import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Outcome } from '../../src/chain/call.ts';
import type { EndedCall } from '../../src/routing/exchange-parts.ts';
import { RequestId } from '../../src/routing/request-id.ts';
import { traceIdOf } from '../../src/routing/trace-context.ts';
import { CallRing } from '../../src/telemetry/call-ring.ts';
import { createCall } from './fixtures.ts';

const SIZE = 8;
const UUID = '01890a5d-ac96-774b-bcce-b302099a8057';

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const ownId = fc.tuple(word, word, word, word).map(([a, b, c, d]) => new RequestId(a, b, c, d));
const clientId = fc.constantFrom('order-4711', 'another-one', UUID).map((text) => RequestId.ofClient(text));
const milliseconds = fc.double({ min: 0, max: 1e6, noNaN: true });
const octets = fc.nat({ max: 2 ** 40 });
const refusal = {
  status: 8,
  reason: 'RATE_LIMITED',
  message: 'no',
  retryAfterMs: 5,
  violation: undefined,
  metadata: undefined,
};
const past = [{ endpoint: '10.0.0.1:1', startedAt: 1, endedAt: 2, status: 14, unprocessed: true }];

const facts = fc.record({
  id: fc.oneof({ weight: 3, arbitrary: ownId }, clientId),
  startedAt: milliseconds,
  durationMs: milliseconds,
  backendMs: fc.option(milliseconds, { nil: undefined }),
  status: fc.nat(16),
  cancelled: fc.boolean(),
  reachedBackend: fc.boolean(),
  refusal: fc.constantFrom(undefined, refusal),
  past: fc.constantFrom(undefined, past),
  sentTo: fc.constantFrom(undefined, '10.0.0.2:2'),
  request: octets,
  response: octets,
  tenant: fc.constantFrom('acme', 'globex'),
  otherTraceId: fc.constantFrom(undefined, '0af7651916cd43dd8448eb211c80319c'),
});

type Facts = typeof facts extends fc.Arbitrary<infer T> ? T : never;

function ended(one: Facts): [EndedCall, Outcome] {
  const attempts = { past: one.past, sentAt: one.startedAt + 1, backendName: 'b', sentTo: one.sentTo };
  const call = createCall({
    id: one.id,
    startedAt: one.startedAt,
    otherTraceId: one.otherTraceId,
    attempts: { ...attempts, endpointName: one.sentTo, connection: undefined },
    tenant: { id: one.tenant, displayName: '', plan: 'free', suspended: false },
  });
  const traffic = { requestMessages: 1, responseMessages: 1, requestOctets: one.request, responseOctets: one.response };
  const { status, cancelled, reachedBackend, durationMs, backendMs } = one;
  return [call, { status, refusal: one.refusal, reachedBackend, cancelled, durationMs, backendMs, traffic }];
}

test('the last calls are found by their ids, with all that was said of them, and earlier ones no more', () => {
  fc.assert(
    fc.property(fc.array(facts, { maxLength: 3 * SIZE }), fc.boolean(), (calls, traced) => {
      const ring = new CallRing(SIZE, traced);
      for (const one of calls) ring.put(...ended(one));
      const kept = calls.slice(-SIZE);
      for (const { id } of calls) {
        const last = kept.findLast((one) => one.id.text === id.text);
        const found = ring.find(id.text);
        if (last === undefined) expect(found).toBeUndefined();
        else expect(found).toMatchObject(expected(last, traced));
      }
      expect(ring.find('never-sent')).toBeUndefined();
    }),
  );
});

function expected(one: Facts, traced: boolean) {
  const last = {
    endpoint: one.sentTo,
    endedAt: one.durationMs,
    status: one.status,
    unprocessed: !one.reachedBackend,
  };
  return {
    requestId: one.id.text,
    traceId: one.otherTraceId ?? (traced ? traceIdOf(one.id.text) : ''),
    listener: 'public',
    method: 'pkg.Service/Method',
    tenantId: one.tenant,
    principalId: 'abc',
    status: one.status,
    refusal: one.refusal,
    cancelled: one.cancelled,
    startedAt: one.startedAt,
    durationMs: one.durationMs,
    backendMs: one.backendMs,
    requestOctets: one.request,
    responseOctets: one.response,
    backend: 'b',
    remoteAddress: '127.0.0.1:5',
    attempts: [...(one.past ?? []), ...(one.sentTo === undefined ? [] : [expect.objectContaining(last)])],
  };
}
