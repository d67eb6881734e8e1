import { CODES, Code } from '../grpc/status.ts';
import { BUCKETS, bucketOf, type Distribution } from './histogram.ts';

/** Tenant and method of the series that those beyond the budget are folded into. */
export const OTHER = 'other';
/** Series whose histograms are allocated together. */
const SLAB_SERIES = 64;
const FULL = 0xffff_ffff;

/** Series of one tenant: by method, then by status. */
type Methods = Map<string, (number | undefined)[]>;

/**
 * Calls and their latencies by tenant, method and status. The number of series is bounded, and so is the memory: 2.2 KiB
 * each, 22 MiB for the default of 10,000, taken as they appear. Series beyond that are folded into `other`, by status, so that
 * totals always add up. Recording is two look-ups and five writes; it allocates only for a new series.
 */
export class SeriesTable {
  readonly #budget: number;
  readonly #byTenant = new Map<string, Methods>();
  /** The series of `other` by status: on top of the budget. */
  readonly #others: (number | undefined)[] = new Array(CODES).fill(undefined);
  readonly #tenants: string[] = [];
  readonly #methods: string[] = [];
  readonly #statuses: Uint8Array;
  readonly #calls: Float64Array;
  readonly #sums: Float64Array;
  readonly #maxima: Float64Array;
  readonly #slabs: Uint32Array[] = [];
  #otherCount = 0;

  /** @param budget how many series are kept apart */
  constructor(budget: number) {
    this.#budget = budget;
    const size = budget + CODES;
    this.#statuses = new Uint8Array(size);
    this.#calls = new Float64Array(size);
    this.#sums = new Float64Array(size);
    this.#maxima = new Float64Array(size);
  }

  get size(): number {
    return this.#tenants.length;
  }

  /** Series have been folded into `other`. */
  get folded(): boolean {
    return this.#otherCount > 0;
  }

  /** Counts a call. @param status gRPC status code; a number that is none counts as UNKNOWN. @param ms duration */
  record(tenantId: string, method: string, status: number, ms: number): void {
    const code = status >= 0 && status < CODES ? status : Code.UNKNOWN;
    const series = this.#byTenant.get(tenantId)?.get(method)?.[code] ?? this.#add(tenantId, method, code);
    this.#calls[series]!++;
    if (ms > 0) this.#sums[series]! += ms;
    if (ms > this.#maxima[series]!) this.#maxima[series] = ms;
    const slab = this.#slabs[Math.floor(series / SLAB_SERIES)]!;
    const start = (series % SLAB_SERIES) * BUCKETS;
    const at = start + bucketOf(ms);
    if (slab[at]! === FULL) halve(slab, start);
    slab[at]!++;
  }

  tenantOf(series: number): string {
    return this.#tenants[series] ?? OTHER;
  }

  methodOf(series: number): string {
    return this.#methods[series] ?? OTHER;
  }

  statusOf(series: number): number {
    return this.#statuses[series] ?? Code.UNKNOWN;
  }

  callsOf(series: number): number {
    return this.#calls[series] ?? 0;
  }

  /** Adds the latencies of a series to a distribution. */
  addTo(distribution: Distribution, series: number): void {
    const slab = this.#slabs[Math.floor(series / SLAB_SERIES)];
    if (slab === undefined) return;
    distribution.add(slab, (series % SLAB_SERIES) * BUCKETS, this.#sums[series] ?? 0, this.#maxima[series] ?? 0);
  }

  /** The number of a new series, or that of `other`. A series is its place in all of the arrays. */
  #add(tenantId: string, method: string, status: number): number {
    // Those of `other` may have come among the others, and do not count against the budget.
    if (this.#tenants.length - this.#otherCount >= this.#budget) return this.#other(status);
    const series = this.#allocate(tenantId, method, status);
    let methods = this.#byTenant.get(tenantId);
    if (methods === undefined) {
      methods = new Map();
      this.#byTenant.set(tenantId, methods);
    }
    const statuses = methods.get(method);
    if (statuses === undefined) {
      const sparse: (number | undefined)[] = [];
      sparse[status] = series;
      methods.set(method, sparse);
    } else {
      statuses[status] = series;
    }
    return series;
  }

  #other(status: number): number {
    const known = this.#others[status];
    if (known !== undefined) return known;
    const series = this.#allocate(OTHER, OTHER, status);
    this.#others[status] = series;
    this.#otherCount++;
    return series;
  }

  #allocate(tenantId: string, method: string, status: number): number {
    const series = this.#tenants.length;
    if (series % SLAB_SERIES === 0) this.#slabs.push(new Uint32Array(SLAB_SERIES * BUCKETS));
    this.#tenants.push(tenantId);
    this.#methods.push(method);
    this.#statuses[series] = status;
    return series;
  }
}

/** Makes room in a histogram whose bucket has reached 2^32 - 1, and keeps its shape. */
function halve(counts: Uint32Array, start: number): void {
  for (let i = start; i < start + BUCKETS; i++) counts[i] = counts[i]! >>> 1;
}
