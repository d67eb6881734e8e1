/** What a family is: where it came from, what it says, by which labels. */
export interface InstrumentSpec {
  /** By Prometheus' conventions, without `_total`: `tollgate_jwks_fetches`, `tollgate_pool_octets_bytes`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** One value of a family. */
export interface Sample {
  /** In the order of the family's labels. */
  readonly labels: readonly string[];
  readonly value: number;
}

/** A family of counters or gauges. */
export interface Instrument extends Required<InstrumentSpec> {
  readonly kind: 'counter' | 'gauge';
  read(): Iterable<Sample>;
}

/** Counts what happens. Beyond its most label values, further ones are counted as `other`. */
export interface CounterHandle {
  /** @param values of the labels, as many as there are */
  add(amount: number, ...values: string[]): void;
}

export const OTHER_VALUE = 'other';
const DEFAULT_MAX_SERIES = 100;
const NO_LABELS: readonly string[] = [];
/** Between the values of a key: neither tenants, methods nor reasons have it. */
const DIVIDER = '\u0000';

/**
 * Counters and gauges of the gateway's parts, beside those of calls. A part counts through a handle (`counter`), or is asked
 * when somebody looks (`observe`), and then costs nothing meanwhile. Every family is bounded, whatever labels it is given.
 */
export class Instruments {
  readonly #families = new Map<string, Instrument>();

  /** A family of counters. @param maxSeries distinct label values; what is above is counted as `other` */
  counter(spec: InstrumentSpec, maxSeries = DEFAULT_MAX_SERIES): CounterHandle {
    const counts = new Map<string, number>();
    const labels = spec.labels ?? NO_LABELS;
    const others = labels.map(() => OTHER_VALUE).join(DIVIDER);
    if (labels.length === 0) counts.set('', 0);
    this.#add(spec, 'counter', () =>
      [...counts].map(([key, value]) => ({ labels: labels.length === 0 ? NO_LABELS : key.split(DIVIDER), value })),
    );
    return {
      add(amount, ...values) {
        const key = values.length === 1 ? values[0]! : values.join(DIVIDER);
        const count = counts.get(key);
        if (count !== undefined) counts.set(key, count + amount);
        else if (counts.size < maxSeries) counts.set(key, amount);
        else counts.set(others, (counts.get(others) ?? 0) + amount);
      },
    };
  }

  /**
   * A family that is read where it is. @param read must not throw; what is beyond the first `maxSeries` is left out of
   * gauges, and summed up as `other` of counters
   */
  observe(
    kind: 'counter' | 'gauge',
    spec: InstrumentSpec,
    read: () => number | Iterable<Sample>,
    maxSeries = DEFAULT_MAX_SERIES,
  ): void {
    this.#add(spec, kind, () => {
      const samples = read();
      return typeof samples === 'number' ? [{ labels: NO_LABELS, value: samples }] : bound(samples, kind, maxSeries);
    });
  }

  /** In the order in which they were added. */
  list(): Iterable<Instrument> {
    return this.#families.values();
  }

  #add({ name, help, labels = NO_LABELS }: InstrumentSpec, kind: Instrument['kind'], read: Instrument['read']): void {
    if (this.#families.has(name)) throw new Error(`there are two families of metrics called ${name}`);
    this.#families.set(name, { name, help, labels, kind, read });
  }
}

function bound(samples: Iterable<Sample>, kind: Instrument['kind'], maxSeries: number): Sample[] {
  const kept: Sample[] = [];
  let rest = 0;
  let last: Sample | undefined;
  for (const sample of samples) {
    if (kept.length < maxSeries) {
      kept.push(sample);
      continue;
    }
    rest += sample.value;
    last = sample;
  }
  if (last !== undefined && kind === 'counter') kept.push({ labels: last.labels.map(() => OTHER_VALUE), value: rest });
  return kept;
}
