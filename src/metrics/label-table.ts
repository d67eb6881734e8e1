import { codeUnitAt } from '../http2/index.ts';

/** The number of the label that stands for all that have none of their own. */
export const OTHER_LABEL = 0;

const PLACES = 64;

/** Values of a label by small numbers, bounded. A number is given to another value when nobody holds it any more. */
export class LabelTable {
  readonly #numbers = new Map<string, number>();
  readonly #names: (string | undefined)[];
  readonly #holders: Uint32Array;
  readonly #free: number[] = [];
  /** Numbers that were found lately, by `placeOf`: calls that end together are of few tenants and methods. */
  readonly #recent = new Uint32Array(PLACES);

  /** @param other what number 0 is called; no value may be called so */
  constructor(capacity: number, other: string) {
    this.#names = [other];
    this.#holders = new Uint32Array(capacity + 1);
  }

  get size(): number {
    return this.#numbers.size;
  }

  /** The number of a value; undefined when it has none. */
  find(name: string): number | undefined {
    const place = placeOf(name);
    const recent = this.#recent[place]!;
    // A number that is another's by now has another name.
    if (this.#names[recent] === name) return recent;
    const number = this.#numbers.get(name);
    if (number !== undefined) this.#recent[place] = number;
    return number;
  }

  /** Holds a value. @returns its number; `OTHER_LABEL`, which need not be released, when there is no room for it */
  hold(name: string): number {
    const number = this.#numbers.get(name) ?? this.#add(name);
    if (number !== OTHER_LABEL) this.#holders[number]!++;
    return number;
  }

  release(number: number): void {
    if (number === OTHER_LABEL || --this.#holders[number]! > 0) return;
    this.#numbers.delete(this.nameOf(number));
    this.#names[number] = undefined;
    this.#free.push(number);
  }

  nameOf(number: number): string {
    return this.#names[number] ?? '';
  }

  #add(name: string): number {
    const number = this.#free.pop() ?? this.#names.length;
    if (number >= this.#holders.length) return OTHER_LABEL;
    this.#names[number] = name;
    this.#numbers.set(name, number);
    return number;
  }
}

/** Tells most names of a few dozen apart, for a third of what a look-up in a map costs. */
function placeOf(name: string): number {
  const { length } = name;
  return length < 3 ? length : (codeUnitAt(name, length - 1) + 5 * codeUnitAt(name, length - 3) + length) % PLACES;
}
