import type { Call, Principal, Stage } from './chain/call.ts';
import { type ChainedCall, MiddlewareChain } from './chain/chain.ts';
import type { ListenerSettings, PrometheusSettings } from './config/settings.ts';
import { TOLLGATE_CONTRACT } from './contracts/builtin.ts';
import type { Health } from './control/health.ts';
import { MetricsPage } from './control/metrics-page.ts';
import { answerProbe, type PlainPage, type PlainRequest } from './control/probes.ts';
import { Code } from './grpc/status.ts';
import type { Http1Request } from './http2/index.ts';
import type { GatewayMetrics } from './metrics/gateway-metrics.ts';
import type { Snapshot } from './sync/snapshot.ts';

export interface PagesOptions {
  readonly listeners: readonly ListenerSettings[];
  readonly prometheus: PrometheusSettings;
  readonly health: Health;
  readonly metrics: GatewayMetrics;
  readonly authentication: Stage;
  readonly snapshot: () => Snapshot;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * What listeners answer in plain HTTP, by their names: probes, and where the gateway's own services are shown, its metrics. On an
 * address that others may reach these take a key, unless the configuration says otherwise.
 */
export function openPages(options: PagesOptions): ReadonlyMap<string, PlainPage> {
  const { listeners, prometheus, health, metrics } = options;
  const authenticate = (credential: string, remoteAddress: string) => identify(options, credential, remoteAddress);
  const page = new MetricsPage({ metrics, authenticate });
  return new Map(
    listeners.map(({ name, host, contracts }): [string, PlainPage] => {
      const probes: PlainPage = (request) => answerProbe(health, request);
      if (prometheus.disabled || !contracts.includes(TOLLGATE_CONTRACT)) return [name, probes];
      const own = page.forListener(prometheus.requireKey ?? !isLoopback(host));
      return [name, (request) => probes(request) ?? own(request)];
    }),
  );
}

/** What is asked in HTTP/1. */
export function toPlainRequest({ method, target, remoteAddress, field }: Http1Request): PlainRequest {
  const credential = /^Bearer +(\S+)$/i.exec(field('authorization') ?? '')?.[1] ?? field('x-api-key') ?? '';
  return { method, path: target, credential, accept: field('accept') ?? '', remoteAddress };
}

/** Only this machine's programs reach it (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3). */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Goes through the stage that calls go through, with a call that has no method and is over at once. */
async function identify(
  { authentication, snapshot, now }: PagesOptions,
  text: string,
  remoteAddress: string,
): Promise<Principal | undefined> {
  const call: ChainedCall = {
    startedAt: now(),
    snapshot: snapshot(),
    method: undefined,
    credential: { text, entry: undefined },
    remoteAddress,
    peerIdentity: undefined,
    principal: undefined,
    tenant: undefined,
    plan: undefined,
    reservedUnits: 0,
    countedBy: undefined,
    admittedStages: 0,
  } satisfies Call & ChainedCall;
  const chain = new MiddlewareChain([authentication]);
  const refusal = await chain.admit(call);
  const { principal } = call;
  chain.settle(call, {
    status: refusal?.status ?? Code.OK,
    refusal,
    reachedBackend: false,
    cancelled: false,
    durationMs: now() - call.startedAt,
  });
  return refusal === undefined ? principal : undefined;
}
