import type { Call, Outcome } from '../chain/call.ts';
import { Code } from '../grpc/status.ts';
import { bucketOf, octaveOf } from './buckets.ts';
import { DEFAULT_LIMITS, type MetricsLimits, shareOut } from './budget.ts';
import { Exemplars, type TraceId } from './exemplars.ts';
import { boundOf } from './histogram-bounds.ts';
import { Instruments } from './instruments.ts';
import { type Selection, type SeriesQuery, select } from './query.ts';
import { deltaRows, totalRows } from './rows.ts';
import { SeriesTable } from './series-table.ts';
import type { Steps } from './steps.ts';

/** Stands for the tenant of calls that nobody authenticated for, and for the method of calls to none that is known. */
export const NONE = '-';
/** Milliseconds between frames: what a window or a watcher can tell apart. */
const FRAME_MS = 1000;
/** Milliseconds after which calls are counted that wait for it: all those of a second would take a millisecond, in one turn. */
const COUNT_MS = 100;
/** Milliseconds for which a frame is new enough for another watcher. */
const SHARED_FRAME_MS = 50;
/** Lines that a method has in Prometheus' text for its three histograms; and methods that have them in any case. */
const LINES_OF_METHOD = 66;
const LEAST_TIMED_METHODS = 50;
/** There are about two dozen reasons; the bound holds whatever the future brings. */
const MAX_REASONS = 100;

/** What is looked at of a call that has ended. */
export interface ObservedCall extends Pick<Call, 'tenant' | 'method'> {
  /** Its spans are recorded; absent where there is no tracing, as is the trace. */
  readonly sampled?: boolean;
  readonly trace?: { readonly id: TraceId } | undefined;
}

export interface MetricsOptions {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  readonly limits?: MetricsLimits | undefined;
  /** The trace of a call, if it is sampled: then it is an exemplar. */
  readonly traceIdOf?: ((call: ObservedCall) => TraceId | undefined) | undefined;
}

/** What a backend tells of itself when metrics are read. */
export interface BackendProbe {
  readonly outstanding: () => number;
  /** Connections that are open, and endpoints that there are. */
  readonly connections: () => number;
  readonly endpoints: () => number;
  readonly breakerState: () => BreakerState;
  /** Whether a status other than OK counts against the backend. */
  readonly isFailure: (status: number) => boolean;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

export interface BackendSnapshot {
  readonly name: string;
  readonly breaker: BreakerState;
  readonly outstanding: number;
  readonly connections: number;
  readonly endpoints: number;
  /** Calls that reached the backend. */
  readonly calls: number;
  readonly failures: number;
}

interface BackendCounters {
  readonly probe: BackendProbe;
  calls: number;
  failures: number;
}

const NO_BACKEND = { name: '', counters: undefined };

/** What was counted between two moments, Unix milliseconds. */
export interface Reading extends Selection {
  readonly startTime: number;
  readonly endTime: number;
  /** From where the next reading goes on. */
  readonly cursor: number;
  /** All since the gateway started. */
  readonly sinceStart: boolean;
}

/**
 * What the gateway counted since it started, in memory that is fixed: calls by tenant, method and status, refusals by reason,
 * calls and failures by backend, and what its parts tell of themselves (`instruments`). It subscribes to the end of calls:
 * `onEnd: [metrics.observe]`.
 */
export class GatewayMetrics {
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly instruments = new Instruments();
  readonly exemplars = new Exemplars();
  readonly table: SeriesTable;
  /** Methods, in the order in which they were first called, that have histograms of their own in Prometheus' text. */
  readonly maxTimedMethods: number;
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #traceIdOf: MetricsOptions['traceIdOf'];
  readonly #refusals = new Map<string, number>();
  readonly #backends = new Map<string, BackendCounters>();
  #lastBackend: { readonly name: string; readonly counters: BackendCounters | undefined } = NO_BACKEND;
  #timer: NodeJS.Timeout | undefined;
  /** Who reads the totals in steps. */
  #readers = 0;

  constructor({ now, monotonic, limits = DEFAULT_LIMITS, traceIdOf }: MetricsOptions) {
    this.#now = now;
    this.#traceIdOf = traceIdOf;
    this.maxTimedMethods = Math.max(LEAST_TIMED_METHODS, Math.floor(limits.maxSeries / LINES_OF_METHOD));
    this.#monotonic = monotonic;
    this.startedAt = now();
    this.table = new SeriesTable(shareOut(limits), monotonic());
  }

  /** Makes a frame every second from here on. Keeps no process alive. */
  start(): this {
    let counts = 0;
    const count = () => {
      if (this.#readers === 0) this.table.count();
      if (++counts % (FRAME_MS / COUNT_MS) === 0) this.flush();
    };
    this.#timer ??= setInterval(count, COUNT_MS).unref();
    return this;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Totals are read in steps: until what it returns is called nothing is counted before the next frame, which would make the steps vain. */
  keepTotals(): () => void {
    this.#readers++;
    return () => {
      this.#readers--;
    };
  }

  /** What was counted by now becomes a frame. */
  flush(): void {
    this.table.flush(this.#monotonic());
  }

  /**
   * Names a backend to report on; one that is replaced goes on with what was counted. Backends come from the configuration and
   * from administrators: nothing else bounds them.
   */
  addBackend(name: string, probe: BackendProbe): void {
    const { calls, failures } = this.#backends.get(name) ?? { calls: 0, failures: 0 };
    this.#backends.set(name, { probe, calls, failures });
    this.#lastBackend = NO_BACKEND;
  }

  removeBackend(name: string): void {
    this.#backends.delete(name);
    this.#lastBackend = NO_BACKEND;
  }

  /** Counts a call that has ended. An arrow function, to be handed over as a subscriber. */
  readonly observe = (call: ObservedCall, outcome: Outcome): void => {
    const { method, tenant } = call;
    this.table.record(tenant?.id ?? NONE, method?.name ?? NONE, outcome.status, outcome);
    if (outcome.refusal !== undefined) this.#countRefusal(outcome.refusal.reason);
    const traceId = this.#traceIdOf?.(call);
    if (traceId !== undefined) this.#keepExemplar(method?.name ?? NONE, traceId, outcome.durationMs);
    if (!outcome.reachedBackend || method === undefined) return;
    const backend = this.#backendOf(method.backend);
    if (backend === undefined) return;
    backend.calls++;
    if (outcome.status !== Code.OK && !outcome.cancelled && backend.probe.isFailure(outcome.status)) backend.failures++;
  };

  /** Most calls are to the backend of the one before. */
  #backendOf(name: string): BackendCounters | undefined {
    if (name !== this.#lastBackend.name) this.#lastBackend = { name, counters: this.#backends.get(name) };
    return this.#lastBackend.counters;
  }

  /** All that was counted since the start. Its steps are in vain when `table.counted` changes meanwhile. */
  totals(query: SeriesQuery = {}): Steps<Reading> {
    if (this.table.isTouched) this.flush();
    return this.#read(0, true, select(this.table, totalRows(this.table), query));
  }

  /** What was counted in the last `windowMs`; of less, when there is no room for so much. The reading says of how much. */
  window(query: SeriesQuery, windowMs: number): Steps<Reading> {
    const from = this.table.log.since(this.#monotonic() - windowMs);
    if (this.table.isTouched) this.flush();
    return this.since(query, from);
  }

  /** Has what was counted up to a moment ago in a frame. Many who watch share it, and do not make one each. */
  refresh(): void {
    const { log } = this.table;
    if (this.#monotonic() - log.timeOf(log.last) >= SHARED_FRAME_MS) this.flush();
  }

  /**
   * What was counted since an earlier reading, up to the frame that is the last one now; all since the start, when that is too long
   * ago. Its steps are in vain when the log has the cursor no more.
   */
  since(query: SeriesQuery, cursor: number): Steps<Reading> {
    if (!this.table.log.has(cursor)) return this.totals(query);
    return this.#read(cursor, false, select(this.table, deltaRows(this.table, cursor), query));
  }

  /** Refusals of the gateway itself since the start, by reason. */
  refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  backends(): BackendSnapshot[] {
    return [...this.#backends].map(([name, { probe, calls, failures }]) => ({
      name,
      breaker: probe.breakerState(),
      outstanding: probe.outstanding(),
      connections: probe.connections(),
      endpoints: probe.endpoints(),
      calls,
      failures,
    }));
  }

  #read(from: number, sinceStart: boolean, selecting: Steps<Selection>): Steps<Reading> {
    const { log } = this.table;
    const endTime = this.#now();
    const age = sinceStart ? endTime - this.startedAt : this.#monotonic() - log.timeOf(from);
    return readInSteps({ startTime: endTime - age, endTime, cursor: log.last, sinceStart }, selecting);
  }

  #keepExemplar(method: string, traceId: TraceId, ms: number): void {
    this.exemplars.put(method, boundOf(octaveOf(bucketOf(ms))), { traceId, ms, at: this.#now() });
  }

  #countRefusal(reason: string): void {
    const known = this.#refusals.has(reason) || this.#refusals.size < MAX_REASONS;
    const name = known ? reason : 'OTHER';
    this.#refusals.set(name, (this.#refusals.get(name) ?? 0) + 1);
  }
}

function* readInSteps(place: Omit<Reading, keyof Selection>, selecting: Steps<Selection>): Steps<Reading> {
  const selection = yield* selecting;
  return { ...place, ...selection };
}
