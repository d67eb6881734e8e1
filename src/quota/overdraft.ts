import type { QuotaLedger, QuotaStanding } from '../store/ledger.ts';
import type { QuotaStore } from '../store/store.ts';
import type { Period } from './period.ts';

interface Debt {
  readonly period: Period;
  units: number;
  /** Given when it is first sent: from then on its units do not change. */
  settlement: number | undefined;
}

/** Told how the counter stands when units of a period were counted. */
export type OnCounted = (standing: Pick<QuotaStanding, 'total' | 'adjusted'>, periodStart: number) => void;

export interface OverdraftParts {
  readonly store: QuotaStore & Partial<QuotaLedger>;
  /** Rising numbers, one row for all of a gateway. */
  readonly nextSettlement: () => number;
}

/** Units of one counter that were used while its store was silent, until the store has counted them. */
export class Overdraft {
  readonly #parts: OverdraftParts;
  readonly #counter: { readonly tenantId: string; readonly metric: string };
  /** In the order in which they were made; one for each period, and one more while one is on its way. */
  readonly #debts: Debt[] = [];
  readonly #onCounted: OnCounted;
  #settling: Promise<void> | undefined = undefined;

  constructor(parts: OverdraftParts, tenantId: string, metric: string, onCounted: OnCounted) {
    this.#parts = parts;
    this.#counter = { tenantId, metric };
    this.#onCounted = onCounted;
  }

  get any(): boolean {
    return this.#debts.length > 0;
  }

  /** Units of the period that begins then. */
  unitsOf(periodStart: number): number {
    let units = 0;
    for (const debt of this.#debts) if (debt.period.start === periodStart) units += debt.units;
    return units;
  }

  add(period: Period, units: number): void {
    const last = this.#debts.at(-1);
    if (last !== undefined && last.settlement === undefined && last.period.start === period.start) last.units += units;
    else this.#debts.push({ period, units, settlement: undefined });
  }

  /** Fulfilled in any case: what could not be settled is tried again next time. */
  settle(): Promise<void> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  /** One after the other, so that their numbers arrive rising. */
  async #settle(): Promise<void> {
    const { store, nextSettlement } = this.#parts;
    try {
      for (let debt = this.#debts[0]; debt !== undefined; debt = this.#debts[0]) {
        debt.settlement ??= nextSettlement();
        const { start, end } = debt.period;
        const counter = { ...this.#counter, periodStart: start, periodEnd: end };
        const standing = await store.settle?.(counter, debt.units, debt.settlement);
        this.#debts.shift();
        if (standing !== undefined) this.#onCounted(standing, start);
      }
    } catch {
      // A store that is silent, or on its way to be: it is asked again when it is heard.
    }
  }
}
