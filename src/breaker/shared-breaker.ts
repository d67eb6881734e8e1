import type { BreakerStore, FleetBreaker, FleetPhase } from '../store/breaker-store.ts';
import type { BreakerListener, BreakerState, CircuitBreaker, Permit } from './circuit-breaker.ts';
import { type ProbeLease, ProbeLeases } from './probe-leases.ts';

export interface SharedBreakerOptions {
  readonly backend: string;
  /** Names this gateway among the others. */
  readonly gateway: string;
  /** What this gateway sees by itself. */
  readonly local: CircuitBreaker;
  readonly store: BreakerStore;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** What refused callers are told while probes run, or leave for one is asked. */
const PROBING_RETRY_MS = 1000;
/** A lease that no call used goes back after this: another gateway may have calls. Longer than callers are told to wait. */
const IDLE_LEASE_MS = 2000;
/** Leave to probe is not asked for more often, while nothing has changed. */
const ASK_EVERY_MS = 100;
/** Questions in a row without an answer, after which the gateway is on its own. */
const FAILURES = 2;

/**
 * The breaker of one backend as the fleet sees it. While the fleet is closed the local breaker decides: what fails for this
 * gateway alone is its own affair, and it says so to the store. Once a quorum agrees the fleet's state decides, here from a
 * copy: nothing waits for the store. When the store is silent the local breaker decides alone (ADR 0005).
 */
export class SharedBreaker {
  readonly backend: string;
  readonly local: CircuitBreaker;
  readonly #gateway: string;
  readonly #store: BreakerStore;
  readonly #now: () => number;
  readonly #listeners = new Set<BreakerListener>();
  readonly #leases = new ProbeLeases();
  /** What the fleet agreed on, as far as we know. */
  #phase: FleetPhase = 'closed';
  /** Of the last answer; undefined before the first. */
  #epoch: number | undefined = undefined;
  /** Monotonic: when the fleet's time in OPEN is over, and when the local breaker opened. */
  #openUntil = 0;
  #localOpenedAt = 0;
  /** Questions are numbered, so that an answer overtaken by a later one changes nothing. */
  #asked = 0;
  #applied = 0;
  #failures = 0;
  #reporting: Promise<void> | undefined = undefined;
  #reportAgain = false;
  #leasing = false;
  #mayAskAt = 0;
  #closed = false;
  #told: BreakerState = 'closed';

  constructor({ backend, gateway, local, store, now }: SharedBreakerOptions) {
    this.backend = backend;
    this.local = local;
    this.#gateway = gateway;
    this.#store = store;
    this.#now = now;
    local.onStateChange((state, previous) => this.#onLocal(state, previous));
  }

  /** What decides about calls of this gateway; isolated is open. */
  get state(): BreakerState {
    if (this.#phase === 'closed') return this.local.state;
    return this.#phase === 'half_open' ? 'half_open' : 'open';
  }

  /** What the fleet agreed on, as far as this gateway knows. */
  get phase(): FleetPhase {
    return this.#phase;
  }

  /** The store does not answer: the local breaker decides. */
  get silent(): boolean {
    return this.#failures >= FAILURES;
  }

  /** Whether a status counts against the backend. */
  isFailure(status: number): boolean {
    return this.local.isFailure(status);
  }

  /** A permit, or the milliseconds until it is worth to ask again. Never waits. */
  acquire(): Permit | number {
    switch (this.#phase) {
      case 'closed':
        return this.local.acquire();
      case 'isolated':
        return this.local.options.openForMs;
      case 'open': {
        const left = this.#openUntil - this.#now();
        return left > 0 ? left : this.#probe();
      }
      case 'half_open':
        return this.#probe();
    }
  }

  /** @returns a function that ends the subscription */
  onStateChange(listener: BreakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To be called twice a second: says what this gateway sees, hears what the fleet thinks, ends what took too long. */
  tick(): void {
    const now = this.#now();
    for (const lease of this.#leases.takeRunning(now - this.local.options.probeTimeoutMs)) {
      this.#settle(lease, 'bad');
    }
    for (const lease of this.#leases.takeWaiting(now - IDLE_LEASE_MS)) this.#settle(lease, 'none');
    void this.report();
  }

  /** Resolves when the store has heard, or was silent. One report at a time; what is asked for meanwhile is one more. */
  report(): Promise<void> {
    this.#reportAgain = true;
    this.#reporting ??= this.#reportAll();
    return this.#reporting;
  }

  /**
   * An operator's word; the fleet's when the store answers.
   * @throws when it does not
   */
  async force(phase: 'isolated' | 'closed'): Promise<void> {
    const question = ++this.#asked;
    this.#apply(question, await this.#store.force(this.backend, phase));
    // What was closed before the first answer, or by a store that had forgotten, is to be closed here as well.
    if (phase === 'closed') this.local.reset();
  }

  /**
   * Ends it: answers that come later change nothing. Leases go back, and what this gateway saw counts no more. Resolves when
   * the store has heard, or does not answer.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.clear();
    const gateway = this.#gateway;
    const { openForMs } = this.local.options;
    const waiting = this.#leases.takeWaiting(Number.POSITIVE_INFINITY);
    const epoch = this.#epoch ?? 0;
    const nothing = { gateway, state: 'closed', epoch, calls: 0, failures: 0, openedAgoMs: 0, openForMs } as const;
    await Promise.allSettled([
      ...waiting.map(({ id: lease, epoch }) =>
        this.#store.settle(this.backend, { gateway, epoch, lease, verdict: 'none', openForMs }),
      ),
      this.#store.report(this.backend, { ...nothing, leases: [] }),
    ]);
  }

  /** Ends a probe; for permits alone. */
  endProbe(lease: ProbeLease, status: number | undefined, durationMs: number | undefined): void {
    if (!this.#leases.end(lease)) return;
    if (status === undefined || this.local.saysNothing(status, durationMs)) this.#settle(lease, 'none');
    else this.#settle(lease, this.local.isFailure(status) ? 'bad' : 'good');
  }

  #probe(): Permit | number {
    const now = this.#now();
    const lease = this.#leases.begin(now);
    if (lease !== undefined) return new LeasedPermit(this, lease);
    if (now >= this.#mayAskAt && !this.#leasing) void this.#askForLease(now);
    return Math.min(PROBING_RETRY_MS, this.local.options.openForMs);
  }

  async #askForLease(now: number): Promise<void> {
    const { probes, openForMs } = this.local.options;
    this.#leasing = true;
    this.#mayAskAt = now + ASK_EVERY_MS;
    const question = ++this.#asked;
    try {
      const request = { gateway: this.#gateway, want: 1, probes, openForMs };
      const answer = await this.#store.lease(this.backend, request);
      this.#apply(question, answer);
      this.#leases.add(answer.epoch, answer.leases, this.#now());
      // Overtaken by an answer of another epoch.
      for (const lease of this.#leases.takeOutdated(this.#epoch ?? 0)) this.#settle(lease, 'none');
    } catch {
      // Whether the store is silent is for the reports to find out.
    } finally {
      this.#leasing = false;
    }
  }

  #settle(lease: ProbeLease, verdict: 'good' | 'bad' | 'none'): void {
    const { openForMs } = this.local.options;
    const question = ++this.#asked;
    const about = { gateway: this.#gateway, epoch: lease.epoch, lease: lease.id, verdict, openForMs };
    this.#store.settle(this.backend, about).then(
      (answer) => this.#apply(question, answer),
      () => {
        // Nobody else hears it: the local breaker keeps it for the time alone.
        if (this.#epoch !== lease.epoch) return;
        if (verdict === 'good') this.local.reset();
        else if (verdict === 'bad') this.local.trip();
      },
    );
  }

  async #reportAll(): Promise<void> {
    while (this.#reportAgain && !this.#closed) {
      this.#reportAgain = false;
      await this.#reportOnce();
    }
    this.#reporting = undefined;
  }

  async #reportOnce(): Promise<void> {
    const question = ++this.#asked;
    const { local } = this;
    // A breaker that is being reset is still open for a moment: said now, that would open the fleet again.
    const state = local.heading;
    try {
      const answer = await this.#store.report(this.backend, {
        gateway: this.#gateway,
        state,
        epoch: this.#epoch ?? 0,
        ...local.totals(),
        openedAgoMs: state === 'closed' ? 0 : this.#now() - this.#localOpenedAt,
        openForMs: local.options.openForMs,
        leases: this.#leases.ids,
      });
      const before = this.#epoch;
      this.#apply(question, answer);
      if (!this.#closed) local.careful = this.#phase === 'closed' && answer.doubters > 0;
      // The store has forgotten, and what we said was about a state that it does not know: said again, it counts.
      if (before !== undefined && answer.epoch < before && local.heading !== 'closed') this.#reportAgain = true;
    } catch {
      this.#failures++;
      if (this.silent) this.#goAlone();
    }
  }

  /** Takes an answer of the store for the truth, unless a later one has come. */
  #apply(question: number, { epoch, phase, leftMs }: FleetBreaker): void {
    if (this.#closed || question < this.#applied) return;
    this.#applied = question;
    this.#failures = 0;
    const known = this.#epoch;
    const before = this.#phase;
    this.#epoch = epoch;
    this.#phase = phase;
    for (const lease of this.#leases.takeOutdated(epoch)) this.#settle(lease, 'none');
    if (phase === 'open') this.#openUntil = this.#now() + leftMs;
    if (epoch !== known || phase !== before) {
      this.#mayAskAt = 0;
      // The local breaker follows, so that it can take over when the store falls silent.
      if (phase === 'open') this.local.trip();
      // A lower epoch is a store that has forgotten: then what we know is better than nothing.
      else if (phase === 'closed' && known !== undefined && epoch > known) this.local.reset();
    }
    this.#tell();
  }

  /** The local breaker decides, which has followed the fleet's state until now. What an operator isolated stays so. */
  #goAlone(): void {
    this.local.careful = false;
    if (this.#phase === 'isolated') return;
    this.#phase = 'closed';
    this.#tell();
  }

  #onLocal(state: BreakerState, previous: BreakerState): void {
    if (state === 'open') this.#localOpenedAt = this.#now();
    this.#tell();
    // Said at once: others are to hear it within a second. Probing changes nothing for them.
    const opinionChanged = state === 'closed' || previous === 'closed';
    if (this.#phase === 'closed' && opinionChanged && !this.silent && !this.#closed) void this.report();
  }

  #tell(): void {
    const { state } = this;
    const previous = this.#told;
    if (state === previous) return;
    this.#told = state;
    for (const listener of this.#listeners) listener(state, previous);
  }
}

/** A probe that the fleet gave leave for. */
class LeasedPermit implements Permit {
  readonly #breaker: SharedBreaker;
  readonly #lease: ProbeLease;

  constructor(breaker: SharedBreaker, lease: ProbeLease) {
    this.#breaker = breaker;
    this.#lease = lease;
  }

  settle(status: number, durationMs?: number): void {
    this.#breaker.endProbe(this.#lease, status, durationMs);
  }

  ignore(): void {
    this.#breaker.endProbe(this.#lease, undefined, undefined);
  }
}
