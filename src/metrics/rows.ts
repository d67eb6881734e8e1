import type { Counter, PartVisitor } from './counters.ts';
import { OTHER_LABEL } from './label-table.ts';
import { ABSENT } from './series-index.ts';
import { methodIn, statusIn } from './series-records.ts';
import type { SeriesTable } from './series-table.ts';

/** Series as a query reads them: of the totals, or of what was counted since some frame. Labels are the table's numbers. */
export interface Rows {
  /** Rows one after the other; `ABSENT` behind the last. */
  first(): number;
  after(row: number): number;
  tenantOf(row: number): number;
  methodOf(row: number): number;
  statusOf(row: number): number;
  counterOf(row: number, counter: Counter): number;
  /** Milliseconds. */
  maxOf(row: number): number;
  /** Each bucket of each of its histograms. */
  forEachCount(row: number, visit: PartVisitor): void;
}

/** All that was counted up to the last flush. */
export function totalRows(table: SeriesTable): Rows {
  return table;
}

/**
 * What was counted behind a frame of the log, up to the last one now. What was counted of a series that has been folded since
 * counts for the tenant `_other`: so deltas and totals agree.
 */
export function deltaRows(table: SeriesTable, frame: number): Rows {
  const { log } = table;
  const end = log.endOf(log.last);
  const orAbsent = (entry: number): number => (entry < end ? entry : ABSENT);
  return {
    first: () => orAbsent(log.endOf(frame)),
    after: (entry) => orAbsent(log.after(entry)),
    tenantOf(entry) {
      const series = log.seriesOf(entry);
      return table.generationOf(series) === log.generationOf(entry) ? table.tenantOf(series) : OTHER_LABEL;
    },
    methodOf: (entry) => methodIn(log.labelsOf(entry)),
    statusOf: (entry) => statusIn(log.labelsOf(entry)),
    counterOf: (entry, counter) => log.counterOf(entry, counter),
    maxOf: (entry) => log.maxOf(entry),
    forEachCount: (entry, visit) => log.forEachCount(entry, visit),
  };
}
