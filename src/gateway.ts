import { randomBytes, randomFillSync, randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Config } from '../generated/tollgate/config/v1/config.ts';
import type { AuthenticationManager, AuthenticationStats } from './auth/authentication-manager.ts';
import { AuthorizationStage } from './auth/authorize.ts';
import { KeyUses } from './auth/key-uses.ts';
import { BackendTable, type BackendTableParts } from './backend-table.ts';
import { MiddlewareChain } from './chain/chain.ts';
import { Deadlines } from './chain/deadlines.ts';
import { EndOfTurn } from './chain/end-of-turn.ts';
import { LookTimer } from './chain/look-timer.ts';
import { TurnClock } from './chain/turn-clock.ts';
import { trustConfig } from './config/load.ts';
import { loadContracts } from './config/load-contracts.ts';
import { type Settings, toSettings } from './config/settings.ts';
import type { ConfigSource } from './config/source.ts';
import { recordRefusals } from './control/audit/record-refusals.ts';
import { Changes } from './control/changes.ts';
import { startControlServer } from './control/control-server.ts';
import { Health } from './control/health.ts';
import { DecisionLog } from './decisions/decision-log.ts';
import { describeState } from './describe-state.ts';
import { Flusher, type Listener } from './http2/index.ts';
import { FloodCounts } from './metrics/flood-counts.ts';
import { openAuthentication } from './open-authentication.ts';
import { openListeners } from './open-listeners.ts';
import { openMetrics } from './open-metrics.ts';
import { openOverload } from './open-overload.ts';
import { openPages } from './open-pages.ts';
import { openRegistration } from './open-registration.ts';
import { openState, type State } from './open-state.ts';
import { openTelemetry, type Telemetry } from './open-telemetry.ts';
import type { MemoryFacts } from './overload/memory-share.ts';
import { QuotaTracker } from './quota/quota-tracker.ts';
import { RateLimiter } from './ratelimit/rate-limiter.ts';
import { Answers } from './routing/answers.ts';
import { countMessages } from './routing/count-messages.ts';
import { DirectAnswers } from './routing/direct-answers.ts';
import type { ListenerView } from './routing/listener-view.ts';
import { RecentOctets } from './routing/recent-octets.ts';
import { RequestIds } from './routing/request-id.ts';
import { RequestRouter } from './routing/router.ts';
import type { ConfigSync } from './sync/config-sync.ts';
import { isAllowed } from './sync/effective-plan.ts';
import type { Logger } from './telemetry/logger.ts';
import type { ExportCounts } from './telemetry/tracing/span-queue.ts';
import { tellCallEnd } from './tell-call-end.ts';
import { retryConflicts } from './tenants/retry-conflicts.ts';
import { TenantManager } from './tenants/tenant-manager.ts';
import { CertificateRenewal, type Renewable } from './tls/certificate-renewal.ts';
import { fingerprintOf } from './tls/watch-files.ts';

export interface GatewayOptions {
  /** Relative paths of the configuration start here. */
  readonly baseDir: string;
  /** For keys taken `from_env`, and TOLLGATE_ADMIN_KEY. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Where the configuration came from, so that complaints of its contracts have their place. */
  readonly source?: ConfigSource | undefined;
  /** Of the process, to notice that memory runs short. Without them only the heap is watched. */
  readonly memory?: MemoryFacts | undefined;
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
  #authentication: AuthenticationManager | undefined = undefined;
  readonly #log: Logger;
  readonly #health = new Health();
  /** What each listener shows, by its name. */
  readonly #views = new Map<string, ListenerView>();
  /** What has certificates from files. */
  readonly #renewables: Renewable[] = [];
  #renewal: CertificateRenewal | undefined = undefined;
  /** In the order of the start; closed from the last to the first. */
  readonly #closers: Closer[] = [];
  #stopped: Promise<void> | undefined = undefined;
  #telemetry: Telemetry | undefined = undefined;

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

  /** What authentication counted since the start. @throws before the start */
  get authentication(): AuthenticationStats {
    if (this.#authentication === undefined) throw new Error('the gateway has not started');
    return this.#authentication.stats;
  }

  /** How the export of spans goes; undefined when there is none. */
  get exportCounts(): ExportCounts | undefined {
    return this.#telemetry?.exportCounts();
  }

  /**
   * Takes certificates and keys anew from their files; who has a connection keeps it. What cannot be used is logged, and what
   * was before stays in use.
   */
  reloadCertificates(): void {
    this.#renewal?.reloadAll();
  }

  /**
   * Stops gracefully: health says NOT_SERVING, no new connections, running calls may end, leases are given back.
   * @param graceMs what still runs after so many milliseconds is told UNAVAILABLE (GATEWAY_DRAINING)
   * @param noticeMs how long calls are taken as before once health says NOT_SERVING, for load balancers to see it
   */
  stop(graceMs: number = DEFAULT_GRACE_MS, noticeMs = 0): Promise<void> {
    this.#stopped ??= this.#stop(graceMs, noticeMs);
    return this.#stopped;
  }

  async #start(config: Config, { baseDir, env, log, source, memory }: GatewayOptions): Promise<void> {
    const loaded = source === undefined ? trustConfig(config, baseDir) : { config, baseDir, source };
    const settings = toSettings(loaded, env);
    const startedAt = clock.now();
    const { contracts, methods, warnings } = await loadContracts(loaded);
    for (const warning of warnings) log.warn(warning, 'configuration');

    // State: the store below, the snapshot above it. What takes part in a call has one idea of a turn of the event loop, and of the
    // time in it.
    const { storePath: path, redis, retention } = settings;
    const flusher = new Flusher();
    const turnClock = new TurnClock(clock, () => flusher.turn());
    const address = () => this.#firstAddress();
    const state = await openState({ path, redis, retention, methods, clock, turnClock, log, address });
    this.#closers.push(() => state.close());
    const onError = (error: unknown) => log.error({ err: error }, 'unexpected');
    const { sync, breakers, liveGateways } = state;
    const uses = new KeyUses({ store: state.keyUses, onError });
    this.#closers.push(() => uses.flush());
    const { httpHosts } = settings.authentication;
    const { documents } = state;
    const { facts, policy } = openRegistration({ loaded, settings, contracts, addresses: this.addresses });
    const tenants = new TenantManager({ documents, sync, random: randomBytes, clock, httpHosts, uses, facts });
    const changes = new Changes({ ...state, tenants, now: clock.now, log });
    const atStart = changes.recordedFor('configuration file', 'start');
    await this.#writeConfiguration(state, async () => {
      await atStart.applyFile(settings);
      this.adminKey = await atStart.ensureAdminKey(env.TOLLGATE_ADMIN_KEY);
    });

    // Calls that run end with their tenant, or their credential.
    const open: Listener[] = [];
    const look = () => {
      const judge = authentication.judge(sync.current);
      for (const listener of open) listener.eachStream((stream) => router.recheck(stream, judge));
    };
    const looks = new LookTimer({ clock, look });
    this.#closers.push(() => looks.close());

    // The way of a call: these stages, then the backend.
    const { authentication, ...credentials } = openAuthentication(settings.authentication, {
      documents: state.credentials,
      sync,
      clock: turnClock,
      system: clock,
      onStoreError: onError,
      uses,
      lookBy: (at) => looks.by(at),
      log,
    });
    this.#authentication = authentication;
    this.#closers.push(() => credentials.close());
    // Leased units live for a tenth of a second: no turn, however long, is to make that more.
    const now = state.fleet === undefined ? turnClock.monotonic : clock.monotonic;
    const turn = new EndOfTurn();
    const limiter = new RateLimiter({ rates: state.rates, now, liveGateways, turn });
    const quota = new QuotaTracker({ quotas: state.quotas, now: state.calendar, onError, liveGateways, turn });
    this.#closers.push(() => quota.drain());
    const { stage: overload, ...pressure } = openOverload(settings.overload, { memory, now: clock.monotonic, log });
    this.#closers.push(() => pressure.close());
    const chain = new MiddlewareChain(
      [authentication, overload, new AuthorizationStage(), limiter, quota],
      clock.monotonic,
    );

    const floods = new FloodCounts(clock.monotonic, (fields) => log.warn(fields, 'a peer broke a limit'));
    const { metrics, reports, close } = openMetrics({
      limits: settings.metrics,
      clock,
      state,
      floods,
      limiter,
      quota,
      authentication,
      overload,
      rss: () => memory?.rss() ?? 0,
      listeners: () =>
        settings.listeners.map(({ name }, index) => ({ name, connections: open[index]?.connections ?? 0 })),
      address,
    });
    this.#closers.push(close);
    const instance = state.fleet === undefined ? randomUUID() : state.id;
    const telemetry = await openTelemetry(settings, { env, log, clock, random: Math.random, metrics, instance });
    this.#telemetry = telemetry;
    this.#closers.push((graceMs) => telemetry.close(graceMs));
    const decided = new DecisionLog(turnClock.now);
    const ofFile = new Map(contracts.map((contract) => [contract.name, contract]));
    const direct = new DirectAnswers((error) => log.error({ err: error }, 'an answer past the wire'));
    const control = await startControlServer({
      direct,
      tenants,
      changes,
      changelog: state,
      metrics: reports,
      usage: {
        ...state,
        running: (tenantId) => limiter.running(tenantId),
        runningInFleet: (tenantId) => reports.running(tenantId),
        leased: (tenantId, counter) => quota.leased(tenantId, counter),
        recheck: (tenantId) => quota.recheck(tenantId),
      },
      decisions: {
        ...state,
        chain,
        authentication,
        decided,
        methodsOf: (listener) => this.#views.get(listener)?.methodsOf(sync.current),
      },
      breakers,
      fleet: state,
      channelz: {
        listeners: () =>
          settings.listeners.flatMap(({ name }, index) => (open[index] ? [{ name, listener: open[index] }] : [])),
        backends: () => [...backends.all.values()],
        now: clock.monotonic,
      },
      diagnostics: {
        findCall: (requestId) => telemetry.recent.find(requestId),
        epoch: () => clock.now() - clock.monotonic(),
        state: async () => {
          const known = new Map((await breakers.list()).map(({ backend, phase }) => [backend, phase]));
          return describeState({
            id: state.id,
            startedAt,
            version: sync.current.version,
            memory,
            listeners: settings.listeners.map(({ name }, index) => ({ name, listener: open[index] })),
            backends: [...backends.all.values()],
            breakerState: (name) => known.get(name) ?? '',
            now: turnClock.monotonic(),
            spans: telemetry.exportCounts(),
            metricPushes: telemetry.pushCounts(),
          });
        },
      },
      now: clock.now,
      contracts: { get: (name) => ofFile.get(name) ?? sync.current.contracts.get(name) },
      isAllowed: (tenantId, method) => isAllowed(sync.current, tenantId, method),
      health: this.#health,
      log,
      socketFolders: [tmpdir(), dirname(settings.storePath)],
    });
    this.#closers.push((graceMs) => control.stop(graceMs));
    const { monotonic } = clock;
    const parts = { breakers, metrics, floods, flusher, direct, log, policy, now: monotonic, random: Math.random };
    const backends = this.#openBackends(settings, control.path, sync, parts);
    const deadlines = new Deadlines(clock.monotonic);
    this.#closers.push(() => deadlines.close());
    const pages = openPages({
      ...settings,
      health: this.#health,
      metrics,
      authentication,
      snapshot: () => sync.current,
      now: clock.monotonic,
    });
    const router = new RequestRouter({
      now: turnClock.monotonic,
      chain,
      deadlines,
      backends: backends.all,
      answers: new Answers(),
      requestIds: new RequestIds({ now: turnClock.now, fillRandom: (buffer) => randomFillSync(buffer) }),
      tracing: telemetry.tracing,
      recent: new RecentOctets(),
      page: (view, request) => pages.get(view.name)?.(request),
      onEnd: tellCallEnd({
        metrics: settings.metrics && metrics.observe,
        messages: countMessages,
        audit: recordRefusals(changes.audit),
        decisions: decided.observe,
        ...telemetry.onEnd,
      }),
      onFault: (error, call) =>
        log.error({ err: error, request_id: call.requestId }, 'a call failed inside the gateway'),
    });
    this.#closers.push((graceMs) => Promise.all(open.map((listener) => listener.close(graceMs))));
    await openListeners(settings.listeners, {
      flusher,
      floods,
      pages,
      log,
      onOpen: ({ settings: { name }, view, listener, renewable }) => {
        open.push(listener);
        this.#views.set(name, view);
        this.addresses.set(name, listener.address);
        if (renewable !== undefined) this.#renewables.push(renewable);
      },
      accept: (view, stream, block, endStream) => router.accept(view, sync.current, stream, block, endStream),
      tooLarge: (view, stream) => router.refuseTooLarge(view, stream),
      cutOff: (stream) => router.cutOff(stream),
    });
    if (this.#renewables.length > 0) {
      const renewal = new CertificateRenewal(this.#renewables, { log, fingerprint: fingerprintOf });
      this.#renewal = renewal;
      this.#closers.push(() => renewal.close());
    }
  }

  /** What the file says, and the admin key. Without Redis it has to wait; the copy of the configuration holds meanwhile. */
  async #writeConfiguration({ fleet }: State, write: () => Promise<void>): Promise<void> {
    const writeWithOthers = () => retryConflicts(write);
    if (fleet === undefined || fleet.sync.status.state === 'synced') return writeWithOthers();
    this.#log.warn('degraded: started from the last configuration, for Redis cannot be used');
    const onError = (error: unknown) => this.#log.error({ err: error }, 'the configuration file could not be applied');
    void fleet.sync.whenSynced().then(writeWithOthers).catch(onError);
  }

  #firstAddress(): string {
    const [first] = this.addresses.values();
    return first === undefined ? '' : `${first.host}:${first.port}`;
  }

  /** Backends of the file, and of the snapshot as it changes. */
  #openBackends(settings: Settings, controlPath: string, sync: ConfigSync, parts: BackendTableParts): BackendTable {
    const backends = new BackendTable(parts);
    this.#closers.push(() => backends.close());
    for (const each of settings.backends) {
      const renewable = backends.openFixed(each);
      if (renewable !== undefined) this.#renewables.push(renewable);
    }
    backends.openControl(controlPath);
    backends.follow(sync.current);
    this.#closers.push(sync.onChange((_change, snapshot) => backends.follow(snapshot)));
    return backends;
  }

  async #stop(graceMs: number, noticeMs: number): Promise<void> {
    this.#health.drain();
    if (noticeMs > 0) await setTimeout(noticeMs);
    for (const close of this.#closers.reverse()) {
      try {
        await close(graceMs);
      } catch (error) {
        this.#log.error({ err: error }, 'stopping');
      }
    }
  }
}
