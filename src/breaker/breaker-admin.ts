import type { BreakerStore, FleetPhase, GatewayView } from '../store/breaker-store.ts';
import { type BreakerListener, type BreakerState, CircuitBreaker, type Permit } from './circuit-breaker.ts';
import type { BreakerOptions } from './options.ts';
import { SharedBreaker } from './shared-breaker.ts';

/** What an operator sees of a breaker. */
export interface BreakerStatus {
  readonly backend: string;
  /** What the fleet agreed on; this gateway's own where there is no fleet, or no answer. */
  readonly phase: FleetPhase;
  /** What this gateway thinks by itself. */
  readonly local: BreakerState;
  /** Milliseconds until probes are admitted; 0 unless it is open. */
  readonly retryAfterMs: number;
  /** Probes that run, in the whole fleet. */
  readonly probes: number;
  readonly storeSilent: boolean;
  readonly gateways: readonly GatewayView[];
}

/** What an operator may do with breakers. */
export interface BreakerAdmin {
  /** By backend. */
  list(): Promise<BreakerStatus[]>;
  /** Admits no calls until `reset`. @returns undefined when there is no such backend @throws when the store does not answer */
  isolate(backend: string): Promise<BreakerStatus | undefined>;
  /** Closes it. @returns undefined when there is no such backend @throws when the store does not answer */
  reset(backend: string): Promise<BreakerStatus | undefined>;
}

/** What decides about a backend's calls; local or shared. */
export interface BackendBreaker {
  readonly state: BreakerState;
  acquire(): Permit | number;
  /** Whether a status counts against the backend. */
  isFailure(status: number): boolean;
  onStateChange(listener: BreakerListener): () => void;
}

/** The breakers of all backends. */
export interface Breakers extends BreakerAdmin {
  /** One that has the name already is closed: its permits change nothing from then on. */
  open(backend: string, options: Partial<BreakerOptions>): BackendBreaker;
  /** The backend is gone, and so is its breaker. */
  drop(backend: string): void;
  /** Never rejects. */
  close(): Promise<void>;
}

/** Breakers of a gateway that stands alone. */
export class LocalBreakers implements Breakers {
  readonly #now: () => number;
  readonly #breakers = new Map<string, CircuitBreaker>();

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  open(backend: string, options: Partial<BreakerOptions>): BackendBreaker {
    const breaker = new CircuitBreaker(options, this.#now);
    this.#breakers.set(backend, breaker);
    return breaker;
  }

  drop(backend: string): void {
    this.#breakers.delete(backend);
  }

  async close(): Promise<void> {}

  async list(): Promise<BreakerStatus[]> {
    return byBackend([...this.#breakers].map(([backend, breaker]) => describeLocal(backend, breaker)));
  }

  async isolate(backend: string): Promise<BreakerStatus | undefined> {
    const breaker = this.#breakers.get(backend);
    breaker?.isolate();
    return breaker && describeLocal(backend, breaker);
  }

  async reset(backend: string): Promise<BreakerStatus | undefined> {
    const breaker = this.#breakers.get(backend);
    if (breaker === undefined) return undefined;
    breaker.reset();
    // The state follows within microtasks.
    await new Promise<void>((resolve) => setImmediate(resolve));
    return describeLocal(backend, breaker);
  }
}

/** How often each breaker reports, and reads what pub/sub may have lost, milliseconds. */
const TICK_MS = 500;

/** Breakers of a gateway in a fleet: their clock, and their ear at the store. */
export class FleetBreakers implements Breakers {
  readonly #breakers = new Map<string, SharedBreaker>();
  readonly #store: BreakerStore;
  readonly #gateway: string;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;

  /**
   * @param gateway names this gateway among the others
   * @param now monotonic milliseconds
   */
  constructor({ store, gateway, now }: { store: BreakerStore; gateway: string; now: () => number }) {
    this.#store = store;
    this.#gateway = gateway;
    this.#now = now;
    store.onChange((backend) => void this.#breakers.get(backend)?.report());
    this.#timer = setInterval(() => {
      for (const breaker of this.#breakers.values()) breaker.tick();
    }, TICK_MS).unref();
  }

  open(backend: string, options: Partial<BreakerOptions>): SharedBreaker {
    this.drop(backend);
    const local = new CircuitBreaker(options, this.#now);
    const breaker = new SharedBreaker({ backend, gateway: this.#gateway, local, store: this.#store, now: this.#now });
    this.#breakers.set(backend, breaker);
    // A backend that the fleet has given up is not to be called until the first tick.
    void breaker.report();
    return breaker;
  }

  drop(backend: string): void {
    // What this gateway saw counts no more. It never rejects, and nothing waits for it.
    void this.#breakers.get(backend)?.close();
    this.#breakers.delete(backend);
  }

  async list(): Promise<BreakerStatus[]> {
    return byBackend(await Promise.all([...this.#breakers.values()].map((breaker) => this.#describe(breaker))));
  }

  isolate(backend: string): Promise<BreakerStatus | undefined> {
    return this.#force(backend, 'isolated');
  }

  reset(backend: string): Promise<BreakerStatus | undefined> {
    return this.#force(backend, 'closed');
  }

  /** Gives leases back, and ends the subscription. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#breakers.values()].map((breaker) => breaker.close()));
    this.#store.close();
  }

  async #force(backend: string, phase: 'isolated' | 'closed'): Promise<BreakerStatus | undefined> {
    const breaker = this.#breakers.get(backend);
    if (breaker === undefined) return undefined;
    await breaker.force(phase);
    return this.#describe(breaker);
  }

  async #describe(breaker: SharedBreaker): Promise<BreakerStatus> {
    const { backend, local } = breaker;
    try {
      const { phase, leftMs, probes, gateways } = await this.#store.read(backend);
      const retryAfterMs = Math.max(0, leftMs);
      return { backend, phase, local: local.state, retryAfterMs, probes, storeSilent: false, gateways };
    } catch {
      const alone = { ...describeLocal(backend, local), storeSilent: true };
      return breaker.phase === 'isolated' ? { ...alone, phase: 'isolated' } : alone;
    }
  }
}

function describeLocal(backend: string, breaker: CircuitBreaker): BreakerStatus {
  return {
    backend,
    phase: breaker.isolated ? 'isolated' : breaker.state,
    local: breaker.state,
    retryAfterMs: breaker.isolated ? 0 : breaker.retryAfterMs,
    probes: breaker.probing,
    storeSilent: false,
    gateways: [],
  };
}

function byBackend(statuses: BreakerStatus[]): BreakerStatus[] {
  return statuses.sort((a, b) => (a.backend < b.backend ? -1 : 1));
}
