import { status } from '@grpc/grpc-js';
import type { EverythingMethod } from '../support/everything-methods.ts';
import { type CallOptions, type ClientCall, GrpcClient } from '../support/grpc-client.ts';
import { FAULTS, type FaultContext } from './faults.ts';

/** What is asserted of calls: how they ended, and that each did. */
export interface Tally {
  /** By status. */
  readonly ends: Map<number, number>;
  /** Calls that did not end long after they should have. */
  hung: number;
  faults: number;
}

/** How long a call may take before it counts as hung: far more than its deadline, milliseconds. */
const HUNG_MS = 30_000;
const DEADLINE_MS = 5_000;
const { DEADLINE_EXCEEDED } = status;

interface Kind {
  readonly method: EverythingMethod;
  readonly options: (random: () => number) => CallOptions;
  /** The status that the call should have when nobody disturbs it. */
  readonly expected?: number;
}

/** Calls of every kind, such as clients make. */
const KINDS: readonly Kind[] = [
  { method: 'Unary', options: () => ({}) },
  { method: 'Unary', options: (random) => ({ messages: [Buffer.alloc(random() * 100_000)] }) },
  { method: 'Unary', options: () => ({ script: { code: 5, details: 'no' } }) },
  {
    method: 'Unary',
    options: () => ({ script: { hang: 'before-headers' }, timeoutMs: 50 }),
    expected: DEADLINE_EXCEEDED,
  },
  { method: 'ServerStream', options: () => ({ script: { messages: 20, size: 1_000 } }) },
  { method: 'ServerStream', options: () => ({ script: { hang: 'after-messages', messages: 3 }, timeoutMs: 80 }) },
  { method: 'ClientStream', options: () => ({ messages: Array.from({ length: 10 }, () => Buffer.alloc(500)) }) },
  { method: 'BidiStream', options: () => ({ messages: Array.from({ length: 10 }, () => Buffer.alloc(500)) }) },
];

export interface TrafficOptions {
  readonly address: string;
  readonly key: string;
  readonly fault: Omit<FaultContext, 'random'>;
  readonly random: () => number;
  /** Says when the round is over. */
  readonly over: () => boolean;
  /** What a caller waits for after each burst of calls. */
  readonly rest: (() => Promise<void>) | undefined;
  readonly tally: Tally;
}

/** Traffic of one round: callers, callers who change their minds, and peers that misbehave. Ends when the round is over. */
export async function runTraffic(options: TrafficOptions): Promise<void> {
  const faults = Object.values(FAULTS).flatMap((fault) => [fault, fault]);
  await Promise.all([
    ...Array.from({ length: 4 }, () => runCaller(options)),
    ...faults.map(async (fault) => {
      while (!options.over()) {
        await fault({ ...options.fault, random: options.random });
        options.tally.faults++;
      }
    }),
  ]);
}

/** One client after the other, each for some calls at once. */
async function runCaller(options: TrafficOptions): Promise<void> {
  while (!options.over()) {
    const client = new GrpcClient(options.address, options.key, undefined, { 'grpc.enable_retries': 0 });
    const calls = 1 + Math.floor(options.random() * 50);
    for (let made = 0; made < calls && !options.over(); made++) {
      await Promise.all(Array.from({ length: 8 }, () => callOnce(client, options)));
      await options.rest?.();
    }
    client.close();
  }
}

async function callOnce(client: GrpcClient, { random, tally }: TrafficOptions): Promise<void> {
  const kind = KINDS[Math.floor(random() * KINDS.length)]!;
  const cancels = random() < 0.1;
  const at = random();
  const cancel = (when: number) => (call: ClientCall) => {
    if (cancels && Math.floor(at * 3) === when) call.cancel();
  };
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, HUNG_MS, undefined);
  });
  const call = client.call(kind.method, {
    timeoutMs: DEADLINE_MS,
    onCall: (call) => setImmediate(() => cancel(0)(call)),
    onHeaders: cancel(1),
    onMessage: cancel(2),
    ...kind.options(random),
  });
  const ended = await Promise.race([call, hung]);
  clearTimeout(timer);
  if (ended === undefined) tally.hung++;
  else tally.ends.set(ended.code, (tally.ends.get(ended.code) ?? 0) + 1);
}
