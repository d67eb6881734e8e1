import type { Io } from './io.ts';
import { formatFields, formatTable } from './table.ts';

/** How one kind of thing is printed. */
export interface View<T> {
  readonly toJson: (item: T) => unknown;
  /** Name and value of each field, in the order of columns. */
  readonly fields: (item: T) => readonly (readonly [string, string])[];
}

type Output = 'table' | 'json';

export function printOne<T>(io: Io, output: Output, view: View<T>, item: T): void {
  if (output === 'json') printJson(io, view.toJson(item));
  else io.stdout.write(formatFields(view.fields(item)));
}

/** @param nothing what people read instead of an empty table */
export function printList<T>(
  io: Io,
  output: Output,
  view: View<T>,
  list: { items: readonly T[]; more: boolean },
  nothing: string,
): void {
  const [first] = list.items;
  if (output === 'json') printJson(io, list.items.map(view.toJson));
  else if (first === undefined) io.stderr.write(`${nothing}\n`);
  else {
    const columns = view.fields(first).map(([name]) => name);
    const rows = list.items.map((item) => view.fields(item).map(([, value]) => value));
    io.stdout.write(formatTable(columns, rows));
  }
  if (list.more) io.stderr.write('There are more: give a larger --limit.\n');
}

export function printJson(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** A time as people read it; empty when there is none. */
export function formatTime(time: Date | undefined): string {
  return time ? time.toISOString().replace(/\.\d+Z$/, 'Z') : '';
}
