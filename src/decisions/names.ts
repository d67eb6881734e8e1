/** Numbers for names, for as long as somebody holds them. A number is used again when nobody does. */
export class Names {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #held: Int32Array;
  readonly #free: number[] = [];
  /** The one that was found last, as long as it is held: what is counted together often has a name in common. */
  #lastName = '';
  #lastNumber: number | undefined = undefined;

  /** @param max names that may be held at once */
  constructor(max: number) {
    this.#held = new Int32Array(max);
  }

  get size(): number {
    return this.#numbers.size;
  }

  /** @returns far below 0 when nobody holds the name, so that no sum with it is a number of anything */
  find(name: string): number {
    if (this.#lastNumber === undefined || name !== this.#lastName) {
      this.#lastName = name;
      this.#lastNumber = this.#numbers.get(name);
    }
    return this.#lastNumber ?? Number.NEGATIVE_INFINITY;
  }

  nameOf(number: number): string {
    return this.#names[number] ?? '';
  }

  /** @throws RangeError when too many are held: whoever holds them bounds them */
  hold(name: string): number {
    const number = this.#numbers.get(name) ?? this.#add(name);
    this.#held[number]!++;
    return number;
  }

  release(number: number): void {
    if (--this.#held[number]! > 0) return;
    this.#numbers.delete(this.nameOf(number));
    this.#lastNumber = undefined;
    this.#names[number] = '';
    this.#free.push(number);
  }

  #add(name: string): number {
    const number = this.#free.pop() ?? this.#names.length;
    if (number >= this.#held.length) throw new RangeError('too many names');
    this.#names[number] = name;
    this.#numbers.set(name, number);
    return number;
  }
}
