import type { SeriesRecords } from './series-records.ts';

/** Where a series stands that is not in the index. */
export const ABSENT = -1;

/**
 * Finds a series by its labels' numbers without making a key: open addressing with linear probing, half full at most
 * (Knuth, TAOCP volume 3, 6.4, algorithm R for deletion).
 */
export class SeriesIndex {
  readonly #records: SeriesRecords;
  /** Series + 1; 0 is free. */
  readonly #places: Int32Array;
  readonly #mask: number;

  constructor(records: SeriesRecords) {
    this.#records = records;
    const size = SeriesIndex.places(records.capacity);
    this.#places = new Int32Array(size);
    this.#mask = size - 1;
  }

  static places(series: number): number {
    return 2 ** Math.ceil(Math.log2(2 * series + 2));
  }

  /** @param labels as `labelsOf` makes it of method and status */
  find(tenant: number, labels: number): number {
    for (let place = this.#home(tenant, labels); ; place = (place + 1) & this.#mask) {
      const series = this.#places[place]! - 1;
      if (series < 0) return ABSENT;
      if (this.#records.is(series, tenant, labels)) return series;
    }
  }

  /** Adds a series, whose labels are set and are those of no other. */
  add(series: number): void {
    let place = this.#homeOf(series);
    while (this.#places[place] !== 0) place = (place + 1) & this.#mask;
    this.#places[place] = series + 1;
  }

  /** Takes a series out, before its labels change. */
  delete(series: number): void {
    let hole = this.#homeOf(series);
    while (this.#places[hole] !== series + 1) {
      if (this.#places[hole] === 0) return;
      hole = (hole + 1) & this.#mask;
    }
    // Those behind it move up, as far as their probing comes past the hole.
    for (let place = (hole + 1) & this.#mask; this.#places[place] !== 0; place = (place + 1) & this.#mask) {
      const home = this.#homeOf(this.#places[place]! - 1);
      if (((place - home) & this.#mask) < ((place - hole) & this.#mask)) continue;
      this.#places[hole] = this.#places[place]!;
      hole = place;
    }
    this.#places[hole] = 0;
  }

  #homeOf(series: number): number {
    return this.#home(this.#records.tenantOf(series), this.#records.labelsOf(series));
  }

  #home(tenant: number, labels: number): number {
    let hash = Math.imul(tenant, 0x9e37_79b1) ^ Math.imul(labels + 1, 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
    return (hash ^ (hash >>> 13)) & this.#mask;
  }
}
