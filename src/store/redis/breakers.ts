import type {
  BreakerOverview,
  BreakerStore,
  FleetBreaker,
  FleetPhase,
  GatewayView,
  LeaseAnswer,
  ReportAnswer,
} from '../breaker-store.ts';
import type { RedisConnection } from './connect.ts';
import type { RedisReply, Scripts } from './scripts.ts';

export interface RedisBreakersOptions {
  readonly connection: RedisConnection;
  readonly scripts: Scripts;
  /** What happened to the subscription; it is made again by itself. */
  readonly onError: (error: unknown) => void;
}

/** What a gateway reported counts for so long; it reports twice a second. */
const VIEW_LIFE_MS = 3000;
/** A lease of a gateway that has died; one that lives prolongs its own. */
const LEASE_LIFE_MS = 5000;
/** How long the gateway whose probe failed last lets others go first. */
const HOLD_OFF_MS = 1000;
/** No answer after so long counts as none: a gateway is to be on its own after two of them. */
const TIMEOUT_MS = 500;

/** Shared breakers in Redis: three keys for each backend, with the hash tag `{b:<backend>}`. */
export function openRedisBreakers({ connection, scripts, onError }: RedisBreakersOptions): BreakerStore {
  const channel = connection.key('breakers');
  const key = (backend: string, what: string) => connection.key(`{b:${backend}}:${what}`);
  const stateViewsProbes = (backend: string) => ['state', 'views', 'probes'].map((what) => key(backend, what));
  const stateProbesViews = (backend: string) => ['state', 'probes', 'views'].map((what) => key(backend, what));
  const run = (...call: Parameters<Scripts['run']>) => answered(scripts.run(...call));
  const listeners = new Set<(backend: string) => void>();
  const subscriber = connection.subscriber();
  subscriber.client.on('message', (_channel: string, backend: string) => {
    for (const listener of listeners) listener(backend);
  });
  subscriber.client.on('ready', () => subscriber.client.subscribe(channel).catch(onError));

  return {
    async report(backend, { gateway, state, epoch, calls, failures, openedAgoMs, openForMs, leases }) {
      const own = [gateway, state, epoch, calls, failures, Math.round(openedAgoMs)];
      const times = [Math.ceil(openForMs), VIEW_LIFE_MS, LEASE_LIFE_MS];
      const args = [...own, ...times, channel, backend, leases.join(' ')];
      return toReportAnswer(await run('breaker-report', stateViewsProbes(backend), args));
    },
    async lease(backend, { gateway, want, probes, openForMs }) {
      const args = [gateway, want, probes, Math.ceil(openForMs), LEASE_LIFE_MS, HOLD_OFF_MS, channel, backend];
      return toLeaseAnswer(await run('breaker-lease', [key(backend, 'state'), key(backend, 'probes')], args));
    },
    async settle(backend, { gateway, epoch, lease, verdict, openForMs }) {
      const args = [gateway, epoch, lease, verdict, Math.ceil(openForMs), channel, backend];
      return toFleetBreaker(await run('breaker-settle', stateProbesViews(backend), args));
    },
    async force(backend, phase) {
      return toFleetBreaker(
        await run('breaker-force', [key(backend, 'state'), key(backend, 'views')], [phase, channel, backend]),
      );
    },
    async read(backend) {
      return toOverview(await run('breaker-read', stateProbesViews(backend), []));
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      listeners.clear();
      subscriber.close();
    },
  };
}

/** @throws when there is no answer in time; one that comes later is lost */
function answered<T>(answer: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error(`Redis did not answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  answer.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}

const PHASES: ReadonlySet<string> = new Set<FleetPhase>(['closed', 'open', 'half_open', 'isolated']);
const STATES: ReadonlySet<string> = new Set<GatewayView['state']>(['closed', 'open', 'half_open']);

const isPhase = (text: string): text is FleetPhase => PHASES.has(text);
const isState = (text: string): text is GatewayView['state'] => STATES.has(text);

function toFleetBreaker(reply: RedisReply): FleetBreaker {
  const [epoch, phase, leftMs] = toList(reply);
  const name = toText(phase);
  if (!isPhase(name)) throw new TypeError(`a breaker's phase is ${name}`);
  return { epoch: toNumber(epoch), phase: name, leftMs: toNumber(leftMs) };
}

function toReportAnswer(reply: RedisReply): ReportAnswer {
  return { ...toFleetBreaker(reply), doubters: toNumber(toList(reply)[3]) };
}

function toLeaseAnswer(reply: RedisReply): LeaseAnswer {
  return { ...toFleetBreaker(reply), leases: toList(reply).slice(3).map(toText) };
}

function toOverview(reply: RedisReply): BreakerOverview {
  const list = toList(reply);
  const gateways: GatewayView[] = [];
  for (let i = 4; i + 4 < list.length; i += 5) {
    const state = toText(list[i + 1]);
    if (!isState(state)) continue;
    gateways.push({
      gateway: toText(list[i]),
      state,
      calls: toNumber(list[i + 2]),
      failures: toNumber(list[i + 3]),
      openedAgoMs: state === 'closed' ? undefined : Math.max(0, toNumber(list[i + 4])),
    });
  }
  gateways.sort((a, b) => (a.gateway < b.gateway ? -1 : 1));
  return { ...toFleetBreaker(reply), probes: toNumber(list[3]), gateways };
}

function toList(reply: RedisReply): readonly RedisReply[] {
  if (!Array.isArray(reply)) throw new TypeError('a breaker script answered no list');
  return reply;
}

function toNumber(value: RedisReply | undefined): number {
  if (typeof value !== 'number') throw new TypeError('a breaker script answered no number');
  return value;
}

function toText(value: RedisReply | undefined): string {
  if (typeof value !== 'string') throw new TypeError('a breaker script answered no text');
  return value;
}
