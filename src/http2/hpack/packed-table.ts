import type { Field, NameTable } from '../field.ts';
import type { DynamicTable } from './dynamic-table.ts';

/**
 * A dynamic table as one string: its capacity, and name and value of its entries, oldest first, each behind its length. What the
 * table of an ordinary client takes as objects, with what was derived from them, is 2 KiB; as a string it is a fifth of that.
 */
export function packTable(table: DynamicTable<Field>): string {
  const parts = [pack(table.capacity)];
  for (let index = table.length - 1; index >= 0; index--) {
    const { name, value } = table.at(index)!;
    parts.push(pack(name.length), name, pack(value.length), value);
  }
  // Not by `+`: that would keep the parts.
  return parts.join('');
}

/** Fills `table`, which is fresh, as it was. */
export function unpackTable(packed: string, table: DynamicTable<Field>, names: NameTable): void {
  let at = 0;
  const number = (): number => {
    at += 3;
    return (packed.charCodeAt(at - 3) << 16) | (packed.charCodeAt(at - 2) << 8) | packed.charCodeAt(at - 1);
  };
  const text = (): string => {
    const length = number();
    at += length;
    return packed.slice(at - length, at);
  };
  table.resize(number());
  while (at < packed.length) table.insert(names.field(text(), text()));
}

/** Three characters of eight bits: a string of larger ones would take twice the memory. */
function pack(number: number): string {
  return String.fromCharCode((number >>> 16) & 255, (number >>> 8) & 255, number & 255);
}
