import type { QuotaLedger } from '../store/ledger.ts';
import type { QuotaStore } from '../store/store.ts';
import type { Period } from './period.ts';

interface Debt {
  readonly period: Period;
  units: number;
  /** Given when it is first sent: from then on its units do not change. */
  settlement: number | undefined;
}

export interface OverdraftParts {
  readonly store: QuotaStore & Partial<QuotaLedger>;
  /** Rising numbers, one row for all of a gateway. */
  readonly nextSettlement: () => number;
  readonly onError: (error: unknown) => void;
}

/** Units of one counter that were used while its store was silent, until the store has counted them. */
export class Overdraft {
  readonly #parts: OverdraftParts;
  readonly #counter: { readonly tenantId: string; readonly metric: string };
  /** In the order in which they were made; one for each period, and one more while one is on its way. */
  readonly #debts: Debt[] = [];
  #settling: Promise<void> | undefined = undefined;

  constructor(parts: OverdraftParts, tenantId: string, metric: string) {
    this.#parts = parts;
    this.#counter = { tenantId, metric };
  }

  get any(): boolean {
    return this.#debts.length > 0;
  }

  add(period: Period, units: number): void {
    const last = this.#debts.at(-1);
    if (last !== undefined && last.settlement === undefined && last.period.start === period.start) last.units += units;
    else this.#debts.push({ period, units, settlement: undefined });
  }

  /** Fulfilled in any case: what could not be settled went to `onError`, and is tried again next time. */
  settle(): Promise<void> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  /** One after the other, so that their numbers arrive rising. */
  async #settle(): Promise<void> {
    const { store, nextSettlement, onError } = this.#parts;
    try {
      for (let debt = this.#debts[0]; debt !== undefined; debt = this.#debts[0]) {
        debt.settlement ??= nextSettlement();
        const { start, end } = debt.period;
        await store.settle?.({ ...this.#counter, periodStart: start, periodEnd: end }, debt.units, debt.settlement);
        this.#debts.shift();
      }
    } catch (error) {
      onError(error);
    }
  }
}
