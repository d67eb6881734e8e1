import { CODES, Code } from '../grpc/status.ts';
import { bucketOf } from './buckets.ts';
import { MAX_METHODS, type MetricsBudget } from './budget.ts';
import { type CallFacts, COUNTERS, Counter, PARTS, Part } from './counters.ts';
import { DeltaLog } from './delta-log.ts';
import { Distinct } from './distinct.ts';
import { LabelTable, OTHER_LABEL } from './label-table.ts';
import { EMPTY, PagePool } from './page-pool.ts';
import { ABSENT, SeriesIndex } from './series-index.ts';
import { Victims } from './victims.ts';

/** The label of what has none of its own any more. Neither a tenant nor a method can be called so. */
export const OTHER = '_other';

const FREE = 0;
/** A series of one tenant. */
const OWN = 1;
/** What was folded: of all tenants without a series. */
const FOLDED = 2;

/**
 * Calls, messages, octets and latencies by tenant, method and status, in memory that is fixed from the start. Beyond its
 * budget the series that are used least are folded into those of the tenant `_other`, by method and status, so that totals
 * always add up; whoever comes back gets a series again, from zero. Recording allocates only for a new series.
 *
 * Each series has its totals, and what came since the last `flush`. That goes to the log and to the totals then, so a call is
 * counted once, where the few series that are in use lie close together.
 */
export class SeriesTable {
  readonly log: DeltaLog;
  readonly pool: PagePool;
  readonly #budget: MetricsBudget;
  readonly #tenants: LabelTable;
  readonly #methods = new LabelTable(MAX_METHODS, OTHER);
  readonly #labels: { tenants: Int32Array; methods: Int32Array; statuses: Uint8Array };
  readonly #index: SeriesIndex;
  readonly #victims: Victims;
  readonly #distinct = new Distinct();
  readonly #kinds: Uint8Array;
  /** Rises whenever a series' place is given to another. */
  readonly #generations: Uint32Array;
  readonly #totals: Float64Array;
  readonly #recent: Float64Array;
  readonly #maxima: Float64Array;
  readonly #recentMaxima: Float64Array;
  readonly #histograms: Uint32Array;
  readonly #recentHistograms: Uint32Array;
  /** Series that have something recent. */
  readonly #touched: Int32Array;
  readonly #isTouched: Uint8Array;
  #touchedCount = 0;
  readonly #free: number[] = [];
  #size = 0;
  #own = 0;
  #folded = 0;

  /** @param now milliseconds of the clock that `flush` is told */
  constructor(budget: MetricsBudget, now: number) {
    const capacity = budget.maxSeries + budget.maxOthers + CODES;
    this.#budget = budget;
    this.pool = new PagePool(budget.pages);
    this.log = new DeltaLog(budget.log, now);
    this.#tenants = new LabelTable(budget.maxSeries, OTHER);
    this.#labels = {
      tenants: new Int32Array(capacity),
      methods: new Int32Array(capacity),
      statuses: new Uint8Array(capacity),
    };
    this.#index = new SeriesIndex(this.#labels);
    this.#kinds = new Uint8Array(capacity);
    this.#generations = new Uint32Array(capacity);
    this.#totals = new Float64Array(capacity * COUNTERS);
    this.#recent = new Float64Array(capacity * COUNTERS);
    this.#maxima = new Float64Array(capacity);
    this.#recentMaxima = new Float64Array(capacity);
    this.#histograms = new Uint32Array(capacity * PARTS);
    this.#recentHistograms = new Uint32Array(capacity * PARTS);
    this.#touched = new Int32Array(capacity);
    this.#isTouched = new Uint8Array(capacity);
    this.#victims = new Victims({
      capacity,
      mayFold: (series) => this.#kinds[series] === OWN,
      callsOf: (series) => this.#totals[series * COUNTERS]! + this.#recent[series * COUNTERS]!,
    });
  }

  /** Series of tenants. */
  get own(): number {
    return this.#own;
  }

  /** About how many different series have been folded, those that came back among them. */
  get foldedSeries(): number {
    return this.#distinct.estimate;
  }

  /** Counts a call. @param status gRPC status code; a number that is none counts as UNKNOWN */
  record(tenant: string, method: string, status: number, facts: CallFacts): void {
    const code = status >= 0 && status < CODES ? status : Code.UNKNOWN;
    const series = this.#find(tenant, method, code);
    const { durationMs, backendMs, traffic } = facts;
    if (this.#isTouched[series] === 0) {
      this.#isTouched[series] = 1;
      this.#touched[this.#touchedCount++] = series;
    }
    this.#victims.touch(series);
    const recent = this.#recent;
    const at = series * COUNTERS;
    recent[at]!++;
    if (traffic !== undefined) {
      recent[at + Counter.REQUEST_MESSAGES]! += traffic.requestMessages;
      recent[at + Counter.RESPONSE_MESSAGES]! += traffic.responseMessages;
      recent[at + Counter.REQUEST_OCTETS]! += traffic.requestOctets;
      recent[at + Counter.RESPONSE_OCTETS]! += traffic.responseOctets;
    }
    if (durationMs > this.#recentMaxima[series]!) this.#recentMaxima[series] = durationMs;
    this.#time(series, Part.TOTAL, durationMs);
    if (backendMs !== undefined) this.#time(series, Part.BACKEND, backendMs);
    this.#time(series, Part.GATEWAY, backendMs === undefined ? durationMs : durationMs - backendMs);
  }

  /** What came since the last time becomes a frame of the log, and part of the totals. @param now milliseconds */
  flush(now: number): void {
    for (let i = 0; i < this.#touchedCount; i++) this.#flushSeries(this.#touched[i]!);
    this.#touchedCount = 0;
    this.log.endFrame(now);
  }

  /** Whether there is something to flush. */
  get isTouched(): boolean {
    return this.#touchedCount > 0;
  }

  /** Each series by its number. */
  forEach(visit: (series: number) => void): void {
    for (let series = 0; series < this.#size; series++) if (this.#kinds[series] !== FREE) visit(series);
  }

  tenantOf(series: number): number {
    return this.#labels.tenants[series]!;
  }

  methodOf(series: number): number {
    return this.#labels.methods[series]!;
  }

  statusOf(series: number): number {
    return this.#labels.statuses[series]!;
  }

  generationOf(series: number): number {
    return this.#generations[series]!;
  }

  tenantName(tenant: number): string {
    return this.#tenants.nameOf(tenant);
  }

  methodName(method: number): string {
    return this.#methods.nameOf(method);
  }

  tenantNumber(name: string): number | undefined {
    return name === OTHER ? OTHER_LABEL : this.#tenants.find(name);
  }

  methodNumber(name: string): number | undefined {
    return name === OTHER ? OTHER_LABEL : this.#methods.find(name);
  }

  /** As of the last flush. */
  counterOf(series: number, counter: Counter): number {
    return this.#totals[series * COUNTERS + counter]!;
  }

  /** Milliseconds, as of the last flush. */
  maxOf(series: number): number {
    return this.#maxima[series]!;
  }

  /** Each bucket of a histogram, as of the last flush. */
  forEachBucket(series: number, part: Part, visit: (bucket: number, count: number) => void): void {
    this.pool.forEach(this.#histograms[series * PARTS + part]!, visit);
  }

  forEachOctave(series: number, part: Part, visit: (octave: number, count: number) => void): void {
    this.pool.forEachOctave(this.#histograms[series * PARTS + part]!, visit);
  }

  #find(tenant: string, method: string, status: number): number {
    const tenantNumber = this.#tenants.find(tenant);
    const methodNumber = this.#methods.find(method);
    if (tenantNumber !== undefined && methodNumber !== undefined) {
      const series = this.#index.find(tenantNumber, methodNumber, status);
      if (series !== ABSENT) return series;
    }
    return this.#admit(tenant, method, status);
  }

  #admit(tenant: string, method: string, status: number): number {
    const methodNumber = this.#methods.hold(method);
    if (this.#own >= this.#budget.maxSeries) {
      const victim = this.#victims.choose(ABSENT);
      if (victim === ABSENT) return this.#foldedOf(methodNumber, status);
      this.#fold(victim);
    }
    const tenantNumber = this.#tenants.hold(tenant);
    // A method without a name of its own may be one of several: their series is one.
    const known = methodNumber === OTHER_LABEL ? this.#index.find(tenantNumber, methodNumber, status) : ABSENT;
    if (known !== ABSENT) {
      this.#tenants.release(tenantNumber);
      return known;
    }
    this.#own++;
    return this.#allocate(OWN, tenantNumber, methodNumber, status);
  }

  #time(series: number, part: Part, ms: number): void {
    if (ms > 0) this.#recent[series * COUNTERS + Counter.TOTAL_MS + part]! += ms;
    const bucket = bucketOf(ms);
    const at = series * PARTS + part;
    let histogram = this.pool.add(this.#recentHistograms[at]!, bucket, 1);
    while (histogram < 0) {
      // The budget is such that this series and the last ones that can be folded into always have their pages.
      if (!this.#makeRoom(series)) return;
      histogram = this.pool.add(this.#recentHistograms[at]!, bucket, 1);
    }
    this.#recentHistograms[at] = histogram;
  }

  /** Folds some series other than `except`. @returns false when there is none */
  #makeRoom(except: number): boolean {
    let victim = this.#victims.choose(except);
    for (let series = 0; victim === ABSENT && series < this.#size; series++) {
      if (series === except || this.#kinds[series] !== FOLDED || this.methodOf(series) === OTHER_LABEL) continue;
      victim = series;
    }
    if (victim === ABSENT) return false;
    this.#fold(victim);
    return true;
  }

  /** Adds a series to those of the tenants without one: of its own method if it can be, else of all methods. */
  #fold(series: number): void {
    const status = this.statusOf(series);
    const isOwn = this.#kinds[series] === OWN;
    const tenant = this.tenantOf(series);
    const method = this.methodOf(series);
    if (isOwn) this.#distinct.add(`${this.tenantName(tenant)} ${this.methodName(method)} ${status}`);
    const other = this.#foldedOf(isOwn ? method : OTHER_LABEL, status);
    this.#add(series, other);
    this.#index.delete(series);
    if (isOwn) {
      this.#tenants.release(tenant);
      this.#own--;
    } else this.#folded--;
    this.#kinds[series] = FREE;
    this.#generations[series]!++;
    this.#free.push(series);
  }

  #foldedOf(method: number, status: number): number {
    const known = this.#index.find(OTHER_LABEL, method, status);
    if (known !== ABSENT) return known;
    if (method === OTHER_LABEL) return this.#allocate(FOLDED, OTHER_LABEL, method, status);
    if (this.#folded >= this.#budget.maxOthers) return this.#foldedOf(OTHER_LABEL, status);
    this.#folded++;
    return this.#allocate(FOLDED, OTHER_LABEL, method, status);
  }

  #allocate(kind: number, tenant: number, method: number, status: number): number {
    const series = this.#free.pop() ?? this.#size++;
    this.#kinds[series] = kind;
    this.#labels.tenants[series] = tenant;
    this.#labels.methods[series] = method;
    this.#labels.statuses[series] = status;
    this.#index.add(series);
    this.#victims.begin(series);
    return series;
  }

  /** All of `from` becomes part of `to`, what is recent as recent. */
  #add(from: number, to: number): void {
    addCounters(this.#totals, from, to);
    addCounters(this.#recent, from, to);
    addMaxima(this.#maxima, from, to);
    addMaxima(this.#recentMaxima, from, to);
    this.#addHistograms(this.#histograms, from, to);
    this.#addHistograms(this.#recentHistograms, from, to);
    if (this.#isTouched[from] === 0 || this.#isTouched[to] === 1) return;
    this.#isTouched[to] = 1;
    this.#touched[this.#touchedCount++] = to;
  }

  #addHistograms(histograms: Uint32Array, from: number, to: number): void {
    for (let part = 0; part < PARTS; part++) {
      const at = to * PARTS + part;
      histograms[at] = this.pool.move(histograms[from * PARTS + part]!, histograms[at]!);
      histograms[from * PARTS + part] = EMPTY;
    }
  }

  #flushSeries(series: number): void {
    this.#isTouched[series] = 0;
    const at = series * COUNTERS;
    // It may have been folded since.
    if (this.#recent[at] === 0) return;
    const { log, pool } = this;
    const max = this.#recentMaxima[series]!;
    const labels = this.methodOf(series) * 32 + this.statusOf(series);
    log.beginEntry(series, this.#generations[series]!, labels, this.#recent, at, max);
    for (let part = 0; part < PARTS; part++) {
      const histogram = this.#recentHistograms[series * PARTS + part]!;
      pool.forEach(histogram, (bucket, count) => log.bucket(part as Part, bucket, count));
      this.#histograms[series * PARTS + part] = pool.move(histogram, this.#histograms[series * PARTS + part]!);
      this.#recentHistograms[series * PARTS + part] = EMPTY;
    }
    log.endEntry();
    for (let i = 0; i < COUNTERS; i++) {
      this.#totals[at + i]! += this.#recent[at + i]!;
      this.#recent[at + i] = 0;
    }
    this.#maxima[series] = Math.max(this.#maxima[series]!, max);
    this.#recentMaxima[series] = 0;
  }
}

function addCounters(counters: Float64Array, from: number, to: number): void {
  for (let i = 0; i < COUNTERS; i++) {
    counters[to * COUNTERS + i]! += counters[from * COUNTERS + i]!;
    counters[from * COUNTERS + i] = 0;
  }
}

function addMaxima(maxima: Float64Array, from: number, to: number): void {
  maxima[to] = Math.max(maxima[to]!, maxima[from]!);
  maxima[from] = 0;
}
