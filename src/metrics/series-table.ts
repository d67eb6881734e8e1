import { CODES, Code } from '../grpc/status.ts';
import { MAX_METHODS, type MetricsBudget } from './budget.ts';
import { bucketIn, histogramIn } from './call-sum.ts';
import { ALL_HISTOGRAMS, type CallFacts, type Counter, type PartVisitor, visitParts } from './counters.ts';
import { DeltaLog } from './delta-log.ts';
import { Distinct } from './distinct.ts';
import { LabelTable, OTHER_LABEL } from './label-table.ts';
import { EMPTY, PagePool } from './page-pool.ts';
import { ABSENT, SeriesIndex } from './series-index.ts';
import { Kind, labelsOf, SeriesRecords } from './series-records.ts';
import { Victims } from './victims.ts';
import { WaitingCalls } from './waiting-calls.ts';

/** The label of what has none of its own any more. Neither a tenant nor a method can be called so. */
export const OTHER = '_other';

/**
 * Calls, messages, octets and latencies by tenant, method and status, in memory that is fixed from the start. Beyond its
 * budget the series that are used least are folded into those of the tenant `_other`, by method and status, so that totals
 * always add up; whoever comes back gets a series again, from zero. Recording allocates only for a new series.
 *
 * Calls wait until the next `flush`, or until they are many; then they go to the totals of their series, and to the log.
 */
export class SeriesTable {
  readonly log: DeltaLog;
  readonly pool: PagePool;
  readonly #budget: MetricsBudget;
  readonly #tenants: LabelTable;
  readonly #methods = new LabelTable(MAX_METHODS, OTHER);
  readonly #records: SeriesRecords;
  readonly #index: SeriesIndex;
  readonly #victims: Victims;
  readonly #distinct = new Distinct();
  readonly #waiting = new WaitingCalls();
  readonly #free: number[] = [];
  #size = 0;
  #counted = 0;
  #own = 0;
  #folded = 0;

  /** @param now milliseconds of the clock that `flush` is told */
  constructor(budget: MetricsBudget, now: number) {
    const capacity = budget.maxSeries + budget.maxOthers + CODES;
    this.#budget = budget;
    this.pool = new PagePool(budget.pages);
    this.log = new DeltaLog(budget.log, now);
    this.#tenants = new LabelTable(budget.maxSeries, OTHER);
    this.#records = new SeriesRecords(capacity);
    this.#index = new SeriesIndex(this.#records);
    this.#victims = new Victims(this.#records);
  }

  /** Series of tenants. */
  get own(): number {
    this.count();
    return this.#own;
  }

  /** About how many different series have been folded, those that came back among them. */
  get foldedSeries(): number {
    this.count();
    return this.#distinct.estimate;
  }

  /** Rises whenever the totals change. */
  get counted(): number {
    return this.#counted;
  }

  /** Takes a call to be counted. @param status gRPC status code; a number that is none counts as UNKNOWN */
  record(tenant: string, method: string, status: number, facts: CallFacts): void {
    const waiting = this.#waiting;
    waiting.add(tenant, method, status >= 0 && status < CODES ? status : Code.UNKNOWN, facts);
    if (waiting.isFull) this.count();
  }

  /** Counts what waits. What came since the last time is a frame of the log. @param now milliseconds */
  flush(now: number): void {
    this.count();
    this.log.endFrame(now);
  }

  /** Whether there is something to flush. */
  get isTouched(): boolean {
    return this.#waiting.length > 0 || this.log.isOpen;
  }

  /** Each series by its number. */
  forEach(visit: (series: number) => void): void {
    for (let series = this.first(); series !== ABSENT; series = this.after(series)) visit(series);
  }

  first(): number {
    return this.after(-1);
  }

  /** The next series; `ABSENT` behind the last. */
  after(series: number): number {
    for (let next = series + 1; next < this.#size; next++) if (this.#records.kindOf(next) !== Kind.FREE) return next;
    return ABSENT;
  }

  tenantOf(series: number): number {
    return this.#records.tenantOf(series);
  }

  methodOf(series: number): number {
    return this.#records.methodOf(series);
  }

  statusOf(series: number): number {
    return this.#records.statusOf(series);
  }

  generationOf(series: number): number {
    return this.#records.generationOf(series);
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
    return this.#records.counterOf(series, counter);
  }

  /** Milliseconds, as of the last flush. */
  maxOf(series: number): number {
    return this.#records.maxOf(series);
  }

  /** Each bucket of all parts, as of the last flush. */
  forEachCount(series: number, visit: PartVisitor): void {
    for (const histogram of ALL_HISTOGRAMS) {
      const visitPage = (bucket: number, count: number) => visitParts(histogram, bucket, count, visit);
      this.pool.forEach(this.#records.pageOf(series, histogram), visitPage);
    }
  }

  /** Each octave of all parts, likewise. */
  forEachOctave(series: number, visit: PartVisitor): void {
    for (const histogram of ALL_HISTOGRAMS) {
      const visitPage = (octave: number, count: number) => visitParts(histogram, octave, count, visit);
      this.pool.forEachOctave(this.#records.pageOf(series, histogram), visitPage);
    }
  }

  /** Counts what waits: the calls of known series first, series by series, and then those that may call for a new one. */
  count(): void {
    const waiting = this.#waiting;
    const records = this.#records;
    if (waiting.length === 0) return;
    this.#counted++;
    const known: number[] = [];
    const generations: number[] = [];
    const unknown: number[] = [];
    let tenantName = '';
    let tenant: number | undefined;
    for (let call = 0; call < waiting.length; call++) {
      // Calls that end together are many of one tenant.
      const name = waiting.tenantOf(call);
      if (name !== tenantName) {
        tenantName = name;
        tenant = this.#tenants.find(name);
      }
      const series = this.#findOf(tenant, call);
      if (series === ABSENT) {
        unknown.push(call);
        continue;
      }
      const last = records.lastCallOf(series);
      if (last === 0) {
        known.push(series);
        generations.push(records.generationOf(series));
      }
      waiting.link(call, last - 1);
      records.setLastCall(series, call + 1);
    }
    for (let i = 0; i < known.length; i++) this.#countSeries(known[i]!, generations[i]!);
    for (const call of unknown) this.#countAlone(call);
    waiting.clear();
  }

  #countSeries(series: number, generation: number): void {
    const last = this.#records.lastCallOf(series) - 1;
    this.#records.setLastCall(series, 0);
    if (this.#records.generationOf(series) === generation) {
      this.#count(series, last);
      return;
    }
    // It has been folded meanwhile, to make room for the histograms of another.
    for (let call = last; call >= 0; ) {
      const before = this.#waiting.beforeOf(call);
      this.#countAlone(call);
      call = before;
    }
  }

  #countAlone(call: number): void {
    const waiting = this.#waiting;
    const found = this.#find(call);
    const series =
      found !== ABSENT ? found : this.#admit(waiting.tenantOf(call), waiting.methodOf(call), waiting.statusOf(call));
    waiting.link(call, -1);
    this.#count(series, call);
  }

  /** Adds a call, and those linked behind it, to a series. */
  #count(series: number, last: number): void {
    const { log } = this;
    const sum = this.#waiting.sumUp(last);
    const { counters, max } = sum;
    const records = this.#records;
    records.use(series);
    records.add(series, counters, max);
    log.beginEntry(series, records.generationOf(series), records.labelsOf(series), counters, max);
    for (let place = 0; place < sum.length; place++) {
      const cell = sum.cellAt(place);
      const count = sum.countAt(place);
      log.cell(cell, count);
      this.#addCell(series, cell, count);
    }
    log.endEntry();
  }

  #find(call: number): number {
    const waiting = this.#waiting;
    return this.#findOf(this.#tenants.find(waiting.tenantOf(call)), call);
  }

  #findOf(tenant: number | undefined, call: number): number {
    const waiting = this.#waiting;
    const method = this.#methods.find(waiting.methodOf(call));
    return tenant === undefined || method === undefined
      ? ABSENT
      : this.#index.find(tenant, labelsOf(method, waiting.statusOf(call)));
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
    const known =
      methodNumber === OTHER_LABEL ? this.#index.find(tenantNumber, labelsOf(methodNumber, status)) : ABSENT;
    if (known !== ABSENT) {
      this.#tenants.release(tenantNumber);
      return known;
    }
    this.#own++;
    return this.#allocate(Kind.OWN, tenantNumber, methodNumber, status);
  }

  #addCell(series: number, cell: number, count: number): void {
    const records = this.#records;
    const histogram = histogramIn(cell);
    const bucket = bucketIn(cell);
    const before = records.pageOf(series, histogram);
    let page = this.pool.add(before, bucket, count);
    while (page < 0) {
      records.setPage(series, histogram, ~page);
      // The budget is such that this series and the last ones that can be folded into always have their pages.
      if (!this.#makeRoom(series)) return;
      page = this.pool.add(records.pageOf(series, histogram), bucket, count);
    }
    if (page !== before) records.setPage(series, histogram, page);
  }

  /** Folds some series other than `except`. @returns false when there is none */
  #makeRoom(except: number): boolean {
    let victim = this.#victims.choose(except);
    for (let series = 0; victim === ABSENT && series < this.#size; series++) {
      if (series === except || this.#records.kindOf(series) !== Kind.FOLDED) continue;
      if (this.methodOf(series) === OTHER_LABEL) continue;
      victim = series;
    }
    if (victim === ABSENT) return false;
    this.#fold(victim);
    return true;
  }

  /** Adds a series to those of the tenants without one: of its own method if it can be, else of all methods. */
  #fold(series: number): void {
    const status = this.statusOf(series);
    const isOwn = this.#records.kindOf(series) === Kind.OWN;
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
    this.#records.free(series);
    this.#free.push(series);
  }

  #foldedOf(method: number, status: number): number {
    const known = this.#index.find(OTHER_LABEL, labelsOf(method, status));
    if (known !== ABSENT) return known;
    if (method === OTHER_LABEL) return this.#allocate(Kind.FOLDED, OTHER_LABEL, method, status);
    if (this.#folded >= this.#budget.maxOthers) return this.#foldedOf(OTHER_LABEL, status);
    this.#folded++;
    return this.#allocate(Kind.FOLDED, OTHER_LABEL, method, status);
  }

  #allocate(kind: Kind, tenant: number, method: number, status: number): number {
    const series = this.#free.pop() ?? this.#size++;
    this.#records.begin(series, kind, tenant, labelsOf(method, status));
    this.#index.add(series);
    return series;
  }

  /** All of `from` becomes part of `to`. */
  #add(from: number, to: number): void {
    const records = this.#records;
    records.move(from, to);
    for (const histogram of ALL_HISTOGRAMS) {
      const moved = this.pool.move(records.pageOf(from, histogram), records.pageOf(to, histogram));
      records.setPage(to, histogram, moved);
      records.setPage(from, histogram, EMPTY);
    }
  }
}
