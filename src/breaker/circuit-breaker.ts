import {
  type CircuitBreakerPolicy,
  CircuitState,
  circuitBreaker,
  handleAll,
  type IBackoff,
  type IBackoffFactory,
} from 'cockatiel';
import { Code } from '../grpc/status.ts';
import { FailureWindow } from './failure-window.ts';
import { type BreakerOptions, withDefaults } from './options.ts';
import { ProbeRound } from './probe-round.ts';

export type BreakerState = 'closed' | 'open' | 'half_open';

/** Leave to make one call. Exactly one of its methods is to be called, once; what is called later does nothing. */
export interface Permit {
  /**
   * The call ended with this gRPC status.
   * @param durationMs how long it took; with it, deadlines too short to blame the backend for are told apart
   */
  settle(status: number, durationMs?: number): void;
  /** The call says nothing of the backend: the client cancelled, or the gateway refused it for reasons of its own. */
  ignore(): void;
}

/** Told of every change of state. Must not throw. */
export type BreakerListener = (state: BreakerState, previous: BreakerState) => void;

/** How much sooner a careful breaker opens: at half the share of failures, after half the calls. */
const CAREFUL = 0.5;

/** What refused callers are told while probes run: nobody knows when they end. */
const PROBING_RETRY_MS = 1000;

/**
 * The breaker of one backend: CLOSED, OPEN, HALF_OPEN, with cockatiel's state machine inside and no promise per call (ADR
 * 0001). Calls are counted here, synchronously; cockatiel runs the two things that change the state: the call that trips it,
 * and the test of HALF_OPEN, which is a whole round of probes.
 */
export class CircuitBreaker {
  readonly options: BreakerOptions;
  readonly #now: () => number;
  readonly #window: FailureWindow;
  readonly #policy: CircuitBreakerPolicy;
  readonly #listeners = new Set<BreakerListener>();
  /** Shared by all calls of one CLOSED phase: those that end in a later phase hold an old one, and do not count. */
  #closedPermit: ClosedPermit;
  #round: ProbeRound | undefined = undefined;
  #openedAt = 0;
  /** The window has been exceeded, and cockatiel is about to open: it takes a few microtasks. */
  #tripping = false;
  #state: BreakerState = 'closed';
  /** Where `trip` or `reset` want it, while cockatiel is on its way. */
  #goal: 'closed' | 'open' | undefined = undefined;
  #isolated = false;
  /** Others say that the backend fails: it opens sooner. */
  careful = false;

  /** @param now monotonic milliseconds */
  constructor(options: Partial<BreakerOptions>, now: () => number) {
    this.options = withDefaults(options);
    this.#now = now;
    this.#window = new FailureWindow(this.options.windowMs);
    this.#closedPermit = new ClosedPermit(this);
    this.#policy = circuitBreaker(handleAll, {
      halfOpenAfter: OUR_CLOCK,
      breaker: {
        state: undefined,
        success: () => this.#window.reset(),
        // While closed it is asked only to trip; a reset may have come in between.
        failure: (state) => state !== CircuitState.Closed || this.#tripping,
      },
    });
    this.#policy.onStateChange((state) => this.#onChange(state));
  }

  /** An isolated breaker is open. */
  get state(): BreakerState {
    return this.#isolated ? 'open' : this.#state;
  }

  /** The state, or the one that `trip` or `reset` asked for and that comes within microtasks. */
  get heading(): BreakerState {
    return this.#goal ?? this.#state;
  }

  /** An operator holds it open. */
  get isolated(): boolean {
    return this.#isolated;
  }

  /** Milliseconds until probes are admitted; 0 unless it is open. */
  get retryAfterMs(): number {
    return this.#state === 'open' ? Math.max(0, this.#openedAt + this.options.openForMs - this.#now()) : 0;
  }

  /** Calls that ended within the window, and those of them that failed. */
  totals(): { readonly calls: number; readonly failures: number } {
    return this.#window.totals(this.#now());
  }

  /** Probes that run now. */
  get probing(): number {
    return this.#round?.running ?? 0;
  }

  /** A permit, or the milliseconds until it is worth to ask again. Never waits. */
  acquire(): Permit | number {
    if (this.#isolated) return this.options.openForMs;
    switch (this.#state) {
      case 'closed':
        return this.#tripping ? this.options.openForMs : this.#closedPermit;
      case 'open':
        return this.#tryHalfOpen();
      case 'half_open':
        return this.#probe();
    }
  }

  /** Opens it now, or anew, for `openForMs`, whatever was counted. */
  trip(): void {
    this.#goal = 'open';
    if (this.#state === 'open') this.#goal = undefined;
    this.#openedAt = this.#now();
    this.#pursue();
  }

  /** Closes it, isolated or not, and forgets what was counted. */
  reset(): void {
    const before = this.state;
    this.#isolated = false;
    this.#tripping = false;
    this.#window.reset();
    this.#closedPermit = new ClosedPermit(this);
    this.#goal = this.#state === 'closed' ? undefined : 'closed';
    // Where only isolation held it, cockatiel has nothing to tell.
    this.#tell(before);
    this.#pursue();
  }

  /** Holds it open until `reset`. */
  isolate(): void {
    const before = this.state;
    this.#isolated = true;
    this.#tell(before);
  }

  /** @returns a function that ends the subscription */
  onStateChange(listener: BreakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Counts a call of the present CLOSED phase; for permits alone. */
  count(permit: Permit, status: number, durationMs: number | undefined): void {
    if (permit !== this.#closedPermit || this.#state !== 'closed') return;
    const failed = this.isFailure(status);
    if (failed && this.saysNothing(status, durationMs)) return;
    this.#window.count(failed, this.#now());
    if (failed && !this.#tripping && this.#exceeded()) this.#trip();
  }

  /** Ends a probe; for permits alone. */
  endProbe(round: ProbeRound, slot: number, status: number, durationMs: number | undefined): void {
    if (this.saysNothing(status, durationMs)) round.ignore(slot);
    else if (this.isFailure(status)) round.fail(slot);
    else round.succeed(slot);
  }

  /** Whether a status counts against the backend. */
  isFailure(status: number): boolean {
    return this.options.failureStatuses.has(status);
  }

  /** Whether the call's deadline was too short to blame the backend for. */
  saysNothing(status: number, durationMs: number | undefined): boolean {
    return status === Code.DEADLINE_EXCEEDED && durationMs !== undefined && durationMs < this.options.minDeadlineMs;
  }

  #exceeded(): boolean {
    const factor = this.careful ? CAREFUL : 1;
    const { failureRatio, minCalls } = this.options;
    return this.#window.exceeds(failureRatio * factor, minCalls * factor, this.#now());
  }

  /** Gives cockatiel the failure that opens it. */
  #trip(): void {
    this.#tripping = true;
    const settled = () => {
      this.#tripping = false;
    };
    this.#policy
      .execute(() => {
        throw new Error('too many calls failed');
      })
      .then(settled, settled);
  }

  /** Brings it to the goal; where cockatiel needs a few microtasks, the next change of state calls again. */
  #pursue(): void {
    if (this.#goal === 'open') {
      if (this.#state === 'closed' && !this.#tripping) this.#trip();
      else this.#round?.abandon();
    } else if (this.#goal === 'closed') {
      if (this.#state === 'open') this.#beginRound();
      this.#round?.recover();
    }
  }

  #tryHalfOpen(): Permit | number {
    const left = this.#openedAt + this.options.openForMs - this.#now();
    if (left > 0) return left;
    this.#beginRound();
    return this.#state === 'half_open' ? this.#probe() : PROBING_RETRY_MS;
  }

  #beginRound(): void {
    const round = new ProbeRound(this.options.probes);
    this.#round = round;
    // Runs up to the state's change before it returns; how the round ends is told by the state alone.
    this.#policy.execute(() => round.outcome).catch(() => {});
  }

  #probe(): Permit | number {
    const round = this.#round;
    if (round === undefined) return PROBING_RETRY_MS;
    const now = this.#now();
    const slot = round.begin(now);
    if (slot >= 0) return new ProbePermit(this, round, slot);
    if (!round.over && round.hasRunSince(now - this.options.probeTimeoutMs)) {
      round.abandon();
      return this.options.openForMs;
    }
    return Math.min(PROBING_RETRY_MS, this.options.openForMs);
  }

  #onChange(state: CircuitState): void {
    const previous = this.state;
    this.#state = stateName(state);
    if (this.#state === 'open') this.#openedAt = this.#now();
    if (this.#state !== 'half_open') this.#round = undefined;
    if (this.#state === 'closed') {
      this.#window.reset();
      this.#closedPermit = new ClosedPermit(this);
    }
    if (this.#state === this.#goal) this.#goal = undefined;
    this.#tell(previous);
    if (this.#state !== 'half_open') this.#pursue();
  }

  #tell(previous: BreakerState): void {
    const { state } = this;
    if (state === previous) return;
    for (const listener of this.#listeners) listener(state, previous);
  }
}

/** Holds no state of its call: all calls of a CLOSED phase share it. */
class ClosedPermit implements Permit {
  readonly #breaker: CircuitBreaker;

  constructor(breaker: CircuitBreaker) {
    this.#breaker = breaker;
  }

  settle(status: number, durationMs?: number): void {
    this.#breaker.count(this, status, durationMs);
  }

  ignore(): void {}
}

class ProbePermit implements Permit {
  readonly #breaker: CircuitBreaker;
  readonly #round: ProbeRound;
  readonly #slot: number;
  #used = false;

  constructor(breaker: CircuitBreaker, round: ProbeRound, slot: number) {
    this.#breaker = breaker;
    this.#round = round;
    this.#slot = slot;
  }

  settle(status: number, durationMs?: number): void {
    if (this.#used) return;
    this.#used = true;
    this.#breaker.endProbe(this.#round, this.#slot, status, durationMs);
  }

  ignore(): void {
    if (this.#used) return;
    this.#used = true;
    this.#round.ignore(this.#slot);
  }
}

function stateName(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return 'closed';
  return state === CircuitState.HalfOpen ? 'half_open' : 'open';
}

/**
 * The time in OPEN is measured by the clock that we are given: cockatiel's is Date.now(), which tests cannot replace and
 * which may jump. A duration below any difference makes its own check pass always; it is asked only when ours has passed.
 */
const OUR_CLOCK: IBackoffFactory<unknown> & IBackoff<unknown> = {
  duration: Number.NEGATIVE_INFINITY,
  next: () => OUR_CLOCK,
};
