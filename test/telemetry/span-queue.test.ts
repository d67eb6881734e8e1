import { expect, test } from 'vitest';
import { RequestId } from '../../src/routing/request-id.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createBatchEncoder } from '../../src/telemetry/tracing/encode-batch.ts';
import type { SpanWriter } from '../../src/telemetry/tracing/encode-span.ts';
import { SpanQueue } from '../../src/telemetry/tracing/span-queue.ts';
import { fakeOutcome } from '../chain/fake-call.ts';
import { ExportTraceServiceRequest } from '../support/otlp-codec.ts';
import { createCall } from './fixtures.ts';

const encode = createBatchEncoder({ resource: {}, scope: { name: 'tollgate', version: '' } });
const MAX_BATCH = 1024;

/** A queue whose exporter takes its time: `deliver` ends what it was given last. */
function createQueue(maxQueued?: number) {
  const batches: string[][] = [];
  let sent: SpanWriter | undefined;
  let end: ((error: Error | undefined) => void) | undefined;
  const exporter = {
    export: (batch: SpanWriter) =>
      new Promise<Error | undefined>((resolve) => {
        sent = batch;
        end = resolve;
      }),
    shutdown: async () => {},
  };
  const log = createLogger('silent', { write: () => {} });
  const queue = new SpanQueue({ exporter, log, epoch: () => 0, ...(maxQueued !== undefined && { maxQueued }) });
  let calls = 0;
  return {
    queue,
    batches,
    get isSending() {
      return sent !== undefined;
    },
    /** Adds a call that was tried so often. */
    add(attempts = 1, sentTo = 'a:2') {
      const id = RequestId.ofClient(`call-${calls++}`);
      const attempt = { endpoint: 'a:1', startedAt: 0, endedAt: 1, status: 14, unprocessed: true };
      const past = Array.from({ length: attempts - 1 }, () => attempt);
      const made = { past, sentAt: 1, backendName: 'b', sentTo, endpointName: 'a:2', connection: undefined };
      const trace = { uuid: new RequestId(1, 2, 3, 4), foreignTraceId: undefined, parentSpanId: undefined };
      queue.add(createCall({ id, attempts: made }), trace, fakeOutcome({ durationMs: 2, backendMs: 1 }));
    },
    /** What is being sent has arrived. It is read only now: until then nothing may be written over it. */
    async deliver(error?: Error) {
      const [batch, done] = [sent!, end!];
      sent = undefined;
      if (error === undefined) batches.push(callsIn(encode(batch)));
      done(error);
      await new Promise(setImmediate);
    },
  };
}

/** The calls that have spans there, one for each span. */
function callsIn(request: Uint8Array): string[] {
  const { resourceSpans } = ExportTraceServiceRequest.decode(request);
  const spans = resourceSpans[0]?.scopeSpans?.[0]?.spans ?? [];
  let call = '';
  return spans.map(({ attributes }) => {
    const id = attributes.find(({ key }) => key === 'tollgate.request_id')?.value?.stringValue;
    call = id ?? call;
    return call;
  });
}

test('the spans of each call arrive once, in batches, whatever a slow collector takes meanwhile', async () => {
  const here = createQueue();
  let spans = 0;
  for (let call = 0; call < 3000; call++) {
    const attempts = 1 + (call % 3);
    here.add(attempts);
    spans += 1 + attempts;
    if (call % 150 === 149 && here.isSending) await here.deliver();
  }
  const closed = here.queue.close(10_000);
  while (here.isSending) await here.deliver();
  await closed;
  expect(here.queue.counts).toEqual({ exported: spans, dropped: 0, queued: 0 });
  for (const batch of here.batches) expect(batch.length).toBeLessThan(MAX_BATCH + 4);
  const expected = Array.from({ length: 3000 }, (_, call) => Array(2 + (call % 3)).fill(`call-${call}`)).flat();
  expect(here.batches.flat()).toEqual(expected);
});

test('a collector that takes nothing costs what the queue holds, and what came too late is counted', async () => {
  const here = createQueue(2000);
  for (let call = 0; call < 5000; call++) here.add();
  expect(here.isSending).toBe(true);
  const { exported, dropped, queued } = here.queue.counts;
  expect([exported, queued]).toEqual([0, 2000]);
  // One batch is on its way, and counted when it is known what became of it.
  expect(dropped).toBe(10_000 - 2000 - MAX_BATCH);
  await here.deliver(new Error('no'));
  expect(here.queue.counts.dropped).toBe(10_000 - 2000);
  const closed = here.queue.close(10_000);
  while (here.isSending) await here.deliver();
  await closed;
  expect(here.queue.counts).toEqual({ exported: 2000, dropped: 8000, queued: 0 });
  expect(new Set(here.batches.flat()).size).toBe(1000);
});

test('a call whose spans cannot be made costs spans, which are counted, and neither itself nor the calls behind it', async () => {
  const here = createQueue();
  here.add(1, 7 as unknown as string);
  for (let call = 0; call < 63; call++) here.add();
  expect(here.queue.counts).toEqual({ exported: 0, dropped: 128, queued: 0 });
  here.add();
  const closed = here.queue.close(10_000);
  await here.deliver();
  await closed;
  expect(here.queue.counts).toEqual({ exported: 2, dropped: 128, queued: 0 });
  expect(here.batches).toEqual([['call-64', 'call-64']]);
});
