import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { BackendBreaker, Breakers } from './breaker/breaker-admin.ts';
import type { BreakerOptions } from './breaker/options.ts';
import type { BackendSettings } from './config/settings.ts';
import { CONTROL_BACKEND } from './contracts/builtin.ts';
import type { ClientTls, Flusher } from './http2/index.ts';
import type { FloodCounts } from './metrics/flood-counts.ts';
import type { GatewayMetrics } from './metrics/gateway-metrics.ts';
import type { EndpointPolicy } from './net/endpoint-policy.ts';
import type { Backend, Breaker } from './routing/backend.ts';
import type { DirectAnswers } from './routing/direct-answers.ts';
import { type BackendParts, type BackendTarget, openBackend } from './routing/open-backend.ts';
import type { RegisteredBackend } from './sync/registered.ts';
import type { Snapshot } from './sync/snapshot.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Renewable } from './tls/certificate-renewal.ts';
import { clientTlsPaths, readClientTls } from './tls/client-certificates.ts';

export interface BackendTableParts {
  readonly breakers: Breakers;
  readonly metrics: GatewayMetrics;
  readonly floods: FloodCounts;
  readonly flusher: Flusher;
  /** How the gateway's own services answer past the wire. */
  readonly direct: DirectAnswers;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** What registered backends may connect to; those of the configuration file are not asked. */
  readonly policy: EndpointPolicy;
}

/** How often backends that were replaced are looked at, until the last of their calls has ended, milliseconds. */
const LOOK_MS = 250;

/** A registered backend as it was opened. */
interface Opened {
  readonly registered: RegisteredBackend;
  readonly breaker: BackendBreaker;
}

/**
 * The backends that there are, by name: those of the configuration file, the gateway's own, and those that admins registered,
 * which come, change and go while it runs. Calls that run keep the backend that they have; its connections are closed when
 * the last of them has ended.
 */
export class BackendTable {
  readonly #parts: BackendTableParts;
  readonly #backends = new Map<string, Backend>();
  readonly #opened = new Map<string, Opened>();
  readonly #retired = new Set<Backend>();
  #seen: Snapshot['backends'] = new Map();
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(parts: BackendTableParts) {
    this.#parts = parts;
  }

  /** Always the same map. */
  get all(): ReadonlyMap<string, Backend> {
    return this.#backends;
  }

  /** Opens one of the configuration file's. @returns what has to be told when its certificates are new */
  openFixed(settings: BackendSettings): Renewable | undefined {
    const { name, tls: files } = settings;
    const breaker = this.#openBreaker(name, settings.breaker);
    if (files === undefined) {
      this.#open({ ...settings, tls: undefined }, breaker);
      return undefined;
    }
    let { tls, validTo } = readClientTls(files, readFileSync);
    const backend = this.#open({ ...settings, tls }, breaker);
    return {
      name: `backend ${name}`,
      paths: clientTlsPaths(files),
      validTo: () => validTo,
      reload: () => {
        ({ tls, validTo } = readClientTls(files, readFileSync));
        backend.renewTls(tls);
      },
    };
  }

  /** Opens the one that answers the gateway's own services. @param path of its socket */
  openControl(path: string): void {
    const target = { ...CONTROL, endpoints: [{ path }] };
    const { direct } = this.#parts;
    this.#backends.set(
      CONTROL_BACKEND,
      openBackend(target, { ...this.#common(), breaker: ALWAYS, isControl: true, direct }),
    );
  }

  /** Opens, replaces and retires what was registered, as the snapshot has it. Names that are taken stay as they are. */
  follow({ backends }: Pick<Snapshot, 'backends'>): void {
    if (backends === this.#seen) return;
    this.#seen = backends;
    for (const name of this.#opened.keys()) {
      if (!backends.has(name)) this.#drop(name);
    }
    for (const registered of backends.values()) {
      const before = this.#opened.get(registered.id);
      if (before?.registered === registered || (before === undefined && this.#backends.has(registered.id))) continue;
      this.#register(registered, before);
    }
  }

  /** Closes all, those that were replaced too. Calls that ran were ended before. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#backends.values(), ...this.#retired].map((backend) => backend.close()));
  }

  #register(registered: RegisteredBackend, before: Opened | undefined): void {
    const { policy, log } = this.#parts;
    const { id } = registered;
    let tls: ClientTls | undefined;
    try {
      tls = registered.tls && toClientTls(registered.tls);
    } catch (error) {
      // It was checked before it was stored. As it was, or not at all, is safer than without verification.
      log.error({ backend: id, err: error }, 'a registered backend cannot be used');
      return;
    }
    const keepsBreaker = before !== undefined && isDeepStrictEqual(before.registered.breaker, registered.breaker);
    const breaker = keepsBreaker ? before.breaker : this.#openBreaker(id, registered.breaker);
    const endpoints = registered.endpoints.map((endpoint) =>
      'path' in endpoint ? endpoint : { ...endpoint, lookup: policy.lookupFor(endpoint.port) },
    );
    const replaced = this.#backends.get(id);
    this.#open({ ...registered, name: id, endpoints, tls }, breaker, (endpoint) => policy.refuse(endpoint));
    this.#opened.set(id, { registered, breaker });
    if (replaced !== undefined) this.#retire(replaced);
  }

  #drop(name: string): void {
    const backend = this.#backends.get(name);
    this.#opened.delete(name);
    this.#backends.delete(name);
    this.#parts.breakers.drop(name);
    this.#parts.metrics.removeBackend(name);
    if (backend !== undefined) this.#retire(backend);
  }

  #retire(backend: Backend): void {
    this.#retired.add(backend);
    this.#closeIdle();
    if (this.#retired.size > 0) this.#timer ??= setInterval(() => this.#closeIdle(), LOOK_MS).unref();
  }

  #closeIdle(): void {
    for (const backend of this.#retired) {
      if (backend.outstanding > 0) continue;
      this.#retired.delete(backend);
      backend.close().catch((error: unknown) => this.#parts.log.error({ err: error }, 'closing a backend'));
    }
    if (this.#retired.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #open(target: BackendTarget, breaker: BackendBreaker, refuse?: BackendParts['refuse']): Backend {
    const { metrics, floods } = this.#parts;
    const { name } = target;
    const onFlood: BackendParts['onFlood'] = (kind) => floods.count(`backend ${name}`, kind);
    const backend = openBackend(target, { ...this.#common(), breaker, refuse, onFlood });
    this.#backends.set(name, backend);
    metrics.addBackend(name, {
      breakerState: () => breaker.state,
      outstanding: () => backend.outstanding,
      connections: () => backend.connections,
      endpoints: () => backend.endpoints.length,
      isFailure: (status) => breaker.isFailure(status),
    });
    return backend;
  }

  #openBreaker(name: string, options: BreakerOptions): BackendBreaker {
    const breaker = this.#parts.breakers.open(name, options);
    breaker.onStateChange((state, previous) => {
      this.#parts.log.warn({ backend: name, state, previous }, 'circuit breaker');
    });
    return breaker;
  }

  #common() {
    const { random, now, flusher, log } = this.#parts;
    const onError = (endpoint: string, error: unknown) => log.warn({ endpoint, err: error }, 'backend');
    return { random, now, flusher, onError };
  }
}

/** @throws CertificateError when the authorities cannot be read */
function toClientTls({ serverName, caPem }: NonNullable<RegisteredBackend['tls']>): ClientTls {
  const ca = caPem === undefined ? undefined : 'ca_pem';
  return readClientTls({ ca, serverName, cert: undefined, key: undefined }, () => Buffer.from(caPem ?? '')).tls;
}

/** The breaker of the gateway's own services: they are as alive as the gateway. */
const ALWAYS: Breaker = { acquire: () => ({ settle() {}, ignore() {} }) };

const CONTROL = {
  name: CONTROL_BACKEND,
  tls: undefined,
  connectTimeoutMs: 1000,
  defaultTimeoutMs: undefined,
  maxConnections: 1,
  // They run in the gateway's process: with more at once, calls that come meanwhile wait for it.
  answerWindow: 16_384,
};
