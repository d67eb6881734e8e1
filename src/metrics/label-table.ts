/** The number of the label that stands for all that have none of their own. */
export const OTHER_LABEL = 0;

/** Values of a label by small numbers, bounded. A number is given to another value when nobody holds it any more. */
export class LabelTable {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[];
  readonly #holders: Uint32Array;
  readonly #free: number[] = [];
  /** The one that was found last, as long as it is held: calls of one connection often end together, and are of one tenant. */
  #lastName = '';
  #lastNumber: number | undefined = undefined;

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
    if (this.#lastNumber === undefined || name !== this.#lastName) {
      this.#lastName = name;
      this.#lastNumber = this.#numbers.get(name);
    }
    return this.#lastNumber;
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
    this.#lastNumber = undefined;
    this.#names[number] = '';
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
