import { COUNTERS, Counter } from './counters.ts';
import type { Rows } from './rows.ts';

/** Of a group: its counters, and behind them the calls that did not end with OK, and the longest. */
const NUMBERS = COUNTERS + 2;
const FAILURES = COUNTERS;
const LONGEST = COUNTERS + 1;
const FIRST_GROUPS = 64;
const NONE = -1;

/** Labels of a group; empty where groups do not differ in one. */
export interface GroupLabels {
  readonly tenantId: string;
  readonly method: string;
  readonly status: string;
}

/**
 * Calls with the same labels, by the number of their group. Numbers stand side by side in a few arrays: as an object each, those of
 * a thousand groups, which live until all have been told, were most of what a collection in the meantime had to copy.
 */
export class Groups {
  readonly #tenantIds: string[] = [];
  readonly #methods: string[] = [];
  readonly #statuses: string[] = [];
  /** By group, what was added last. */
  readonly #lastAdded: number[] = [];
  /** By what was added: its row, and what was added to the same group before it. */
  readonly #rows: number[] = [];
  readonly #addedBefore: number[] = [];
  #numbers = new Float64Array(FIRST_GROUPS * NUMBERS);

  get length(): number {
    return this.#tenantIds.length;
  }

  /** @returns the group's number */
  begin({ tenantId, method, status }: GroupLabels): number {
    const group = this.length;
    this.#tenantIds.push(tenantId);
    this.#methods.push(method);
    this.#statuses.push(status);
    this.#lastAdded.push(NONE);
    if ((group + 1) * NUMBERS > this.#numbers.length) {
      const grown = new Float64Array(2 * this.#numbers.length);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    return group;
  }

  add(group: number, rows: Rows, row: number): void {
    const numbers = this.#numbers;
    const at = group * NUMBERS;
    for (let i = 0; i < COUNTERS; i++) numbers[at + i]! += rows.counterOf(row, i as Counter);
    if (rows.statusOf(row) !== 0) numbers[at + FAILURES]! += rows.counterOf(row, Counter.CALLS);
    numbers[at + LONGEST] = Math.max(numbers[at + LONGEST]!, rows.maxOf(row));
    this.#addedBefore.push(this.#lastAdded[group]!);
    this.#lastAdded[group] = this.#rows.length;
    this.#rows.push(row);
  }

  labelsOf(group: number): GroupLabels {
    return { tenantId: this.#tenantIds[group]!, method: this.#methods[group]!, status: this.#statuses[group]! };
  }

  counterOf(group: number, counter: Counter): number {
    return this.#numbers[group * NUMBERS + counter]!;
  }

  /** Calls that did not end with OK. */
  failuresOf(group: number): number {
    return this.#numbers[group * NUMBERS + FAILURES]!;
  }

  /** Milliseconds. */
  maxOf(group: number): number {
    return this.#numbers[group * NUMBERS + LONGEST]!;
  }

  /** Each row that was added. */
  forEachRow(group: number, visit: (row: number) => void): void {
    for (let added = this.#lastAdded[group]!; added !== NONE; added = this.#addedBefore[added]!)
      visit(this.#rows[added]!);
  }
}
