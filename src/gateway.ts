import { randomBytes, randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import type { Config } from '../generated/tollgate/config/v1/config.ts';
import { AuthenticationManager } from './auth/authentication-manager.ts';
import { AuthorizationStage } from './auth/authorize.ts';
import { CircuitBreaker } from './breaker/circuit-breaker.ts';
import { MiddlewareChain } from './chain/chain.ts';
import { Deadlines } from './chain/deadlines.ts';
import { trustConfig } from './config/load.ts';
import { loadContracts } from './config/load-contracts.ts';
import { type ListenerSettings, type Settings, toSettings } from './config/settings.ts';
import type { ConfigSource } from './config/source.ts';
import { ALWAYS_SHOWN, CONTROL_BACKEND } from './contracts/builtin.ts';
import { startControlServer } from './control/control-server.ts';
import { Health } from './control/health.ts';
import { Listener, type ListenerOptions, type StreamHandler } from './http2/index.ts';
import { GatewayMetrics } from './metrics/gateway-metrics.ts';
import { QuotaTracker } from './quota/quota-tracker.ts';
import { RateLimiter } from './ratelimit/rate-limiter.ts';
import { Answers } from './routing/answers.ts';
import type { Backend, Breaker } from './routing/backend.ts';
import { HEADER_NAMES } from './routing/header-names.ts';
import { ListenerView } from './routing/listener-view.ts';
import { type BackendTarget, openBackend } from './routing/open-backend.ts';
import { RequestIds } from './routing/request-id.ts';
import { RequestRouter } from './routing/router.ts';
import { openEmbeddedStore } from './store/embedded/open.ts';
import { openLocalSync } from './sync/local-sync.ts';
import { createAccessLog } from './telemetry/access-log.ts';
import type { Logger } from './telemetry/logger.ts';
import { TenantManager } from './tenants/tenant-manager.ts';

export interface GatewayOptions {
  /** Relative paths of the configuration start here. */
  readonly baseDir: string;
  /** For keys taken `from_env`, and TOLLGATE_ADMIN_KEY. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Where the configuration came from, so that complaints of its contracts have their place. */
  readonly source?: ConfigSource | undefined;
}

/** Undoes one step of the start. */
type Closer = (graceMs: number) => unknown;

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** Milliseconds that running calls get to end. */
const DEFAULT_GRACE_MS = 10_000;

/**
 * A gateway: the composition root. An instance holds all its state; several may live in one process. `start` reads from the
 * state at the bottom (store, snapshot) up to the way of a call: listener, chain, router, backend.
 */
export class Gateway {
  /** Where each listener listens, by name. */
  readonly addresses = new Map<string, { readonly host: string; readonly port: number }>();
  /** The text of the first admin key when one was minted at this start: to be shown once. */
  adminKey: string | undefined = undefined;
  readonly #log: Logger;
  readonly #health = new Health();
  /** In the order of the start; closed from the last to the first. */
  readonly #closers: Closer[] = [];
  #stopped: Promise<void> | undefined = undefined;

  private constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Starts a gateway; it answers calls when the promise resolves.
   * @throws ConfigError, StoreUnusable, errors of the registry, and the system's when an address cannot be bound
   */
  static async start(config: Config, options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(options.log);
    try {
      await gateway.#start(config, options);
      return gateway;
    } catch (error) {
      await gateway.stop(0);
      throw error;
    }
  }

  /**
   * Stops gracefully: health says NOT_SERVING, no new connections, running calls may end, leases are given back.
   * @param graceMs what still runs after so many milliseconds is cut off
   */
  stop(graceMs: number = DEFAULT_GRACE_MS): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #start(config: Config, { baseDir, env, log, source }: GatewayOptions): Promise<void> {
    const loaded = source === undefined ? trustConfig(config, baseDir) : { config, baseDir, source };
    const settings = toSettings(loaded, env);
    const { contracts, methods, warnings } = await loadContracts(loaded);
    for (const warning of warnings) log.warn(warning, 'configuration');

    // State: the store below, the snapshot above it.
    const store = openEmbeddedStore({ path: settings.storePath, clock });
    this.#closers.push(() => store.close());
    const onError = (error: unknown) => log.error({ err: error }, 'unexpected');
    const sync = await openLocalSync({ documents: store.documents, methods, onListenerError: onError });
    const tenants = new TenantManager({ documents: store.documents, sync, random: randomBytes, clock });
    await tenants.applyFile(settings);
    this.adminKey = await tenants.ensureAdminKey(env.TOLLGATE_ADMIN_KEY);

    // The way of a call: these stages, then the backend.
    const authentication = new AuthenticationManager({
      documents: store.documents,
      sync,
      clock,
      onStoreError: onError,
    });
    this.#closers.push(() => authentication.close());
    const limiter = new RateLimiter({ rates: store.rates, now: clock.monotonic });
    const quota = new QuotaTracker({ quotas: store.quotas, now: clock.now, onError });
    this.#closers.push(() => quota.drain());
    const chain = new MiddlewareChain([authentication, new AuthorizationStage(), limiter, quota]);

    const metrics = new GatewayMetrics({ now: clock.now });
    const control = await startControlServer({
      tenants,
      metrics,
      contracts: new Map(contracts.map((contract) => [contract.name, contract])),
      health: this.#health,
      log,
      socketFolders: [tmpdir(), dirname(settings.storePath)],
    });
    this.#closers.push((graceMs) => control.stop(graceMs));
    const backends = this.#openBackends(settings, control.path, metrics);
    const deadlines = new Deadlines(clock.monotonic);
    this.#closers.push(() => deadlines.close());
    const accessLog = createAccessLog(log, clock.monotonic);
    const router = new RequestRouter({
      now: clock.monotonic,
      chain,
      deadlines,
      backends,
      answers: new Answers(),
      requestIds: new RequestIds({ now: clock.now, fillRandom: (buffer) => randomFillSync(buffer) }),
      onEnd: [metrics.observe, (call, outcome) => accessLog(call, outcome, call.requestId)],
      onFault: (error, call) =>
        log.error({ err: error, request_id: call.requestId }, 'a call failed inside the gateway'),
    });
    await this.#listen(settings.listeners, (view, stream, block, endStream) =>
      router.accept(view, sync.current, stream, block, endStream),
    );
  }

  #openBackends(settings: Settings, controlPath: string, metrics: GatewayMetrics): ReadonlyMap<string, Backend> {
    const onError = (endpoint: string, error: unknown) => this.#log.warn({ endpoint, err: error }, 'backend');
    const parts = { random: Math.random, now: clock.monotonic, onError };
    const backends = settings.backends.map((target) => {
      const breaker = new CircuitBreaker(target.breaker, clock.monotonic);
      breaker.onStateChange((state, previous) => {
        this.#log.warn({ backend: target.name, state, previous }, 'circuit breaker');
      });
      const backend = openBackend(target, { ...parts, breaker });
      metrics.addBackend(backend.name, {
        breakerState: () => breaker.state,
        outstanding: () => backend.outstanding,
        isFailure: (status) => breaker.isFailure(status),
      });
      return backend;
    });
    backends.push(openBackend(controlTarget(controlPath), { ...parts, breaker: ALWAYS, isControl: true }));
    this.#closers.push(() => Promise.all(backends.map((backend) => backend.close())));
    return new Map(backends.map((backend) => [backend.name, backend]));
  }

  async #listen(listeners: readonly ListenerSettings[], accept: Accept): Promise<void> {
    const open: Listener[] = [];
    this.#closers.push((graceMs) => Promise.all(open.map((listener) => listener.close(graceMs))));
    for (const settings of listeners) {
      const view = new ListenerView({ ...settings, contracts: [...settings.contracts, ...ALWAYS_SHOWN] });
      const listener = await Listener.listen({
        host: settings.host,
        port: settings.port,
        tls: settings.tls && { cert: readFileSync(settings.tls.cert), key: readFileSync(settings.tls.key) },
        names: HEADER_NAMES,
        onRequest: (stream, block, endStream) => accept(view, stream, block, endStream),
        onError: (error) => this.#log.error({ listener: settings.name, err: error }, 'listener'),
      });
      open.push(listener);
      this.addresses.set(settings.name, listener.address);
    }
  }

  async #stop(graceMs: number): Promise<void> {
    this.#health.drain();
    for (const close of this.#closers.reverse()) {
      try {
        await close(graceMs);
      } catch (error) {
        this.#log.error({ err: error }, 'stopping');
      }
    }
  }
}

/** Takes a request of a listener. */
type Accept = (view: ListenerView, ...request: Parameters<ListenerOptions['onRequest']>) => StreamHandler;

/** The breaker of the gateway's own services: they are as alive as the gateway. */
const ALWAYS: Breaker = { acquire: () => ({ settle() {}, ignore() {} }) };

function controlTarget(path: string): BackendTarget {
  return {
    name: CONTROL_BACKEND,
    endpoints: [{ path }],
    tls: undefined,
    connectTimeoutMs: 1000,
    defaultTimeoutMs: undefined,
    maxConnections: 1,
  };
}
