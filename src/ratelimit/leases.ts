import { LEASE_LIFE_MS } from './lease-size.ts';

/** The units in hand: of the lease in use, of one that was asked for before that was used up, and those that are kept. */
export class Leases {
  #units = 0;
  /** Until when they are good. Monotonic milliseconds. */
  #until = 0;
  #nextUnits = 0;
  #nextUntil = 0;
  /** Units that do not become void, and whether the last that was taken was one of them. */
  #kept = 0;
  #tookKept = false;

  /** Units in hand, void ones included. */
  get units(): number {
    return this.#units + this.#nextUnits + this.#kept;
  }

  /** Those of them that do not become void. */
  get kept(): number {
    return this.#kept;
  }

  /** Takes a unit. @returns false when there is none */
  take(now: number): boolean {
    this.#tookKept = false;
    if (this.#units > 0 && now < this.#until) {
      this.#units--;
      return true;
    }
    if (this.#nextUnits === 0 || now >= this.#nextUntil) return this.#takeKept();
    this.#moveUp();
    this.#units--;
    return true;
  }

  /** Units that do not become void. */
  keep(units: number): void {
    this.#kept += units;
  }

  /** Lets go of what is kept above so many. */
  keepAtMost(units: number): void {
    this.#kept = Math.min(this.#kept, units);
  }

  /** @param askedAt the lease's life begins when it was asked for: the store took the units no earlier */
  add(units: number, askedAt: number, now: number): void {
    const until = askedAt + LEASE_LIFE_MS;
    if ((this.#units === 0 || now >= this.#until) && this.#nextUnits > 0) this.#moveUp();
    if (this.#units === 0 || now >= this.#until) {
      this.#units = units;
      this.#until = until;
    } else if (this.#nextUnits === 0 || now >= this.#nextUntil) {
      this.#nextUnits = units;
      this.#nextUntil = until;
    } else {
      // A third one, which happens rarely, is good only as long as the second.
      this.#nextUnits += units;
    }
  }

  /** A unit that was taken just now and is not needed. */
  putBack(now: number): void {
    if (this.#tookKept) this.#kept++;
    else if (now < this.#until) this.#units++;
  }

  /** Whether there is a unit that is good. */
  any(now: number): boolean {
    return this.#kept > 0 || this.anyLeased(now);
  }

  /** Whether there is one that will become void. */
  anyLeased(now: number): boolean {
    return (this.#units > 0 && now < this.#until) || (this.#nextUnits > 0 && now < this.#nextUntil);
  }

  clear(): void {
    this.#units = 0;
    this.#nextUnits = 0;
    this.#kept = 0;
  }

  #takeKept(): boolean {
    if (this.#kept === 0) return false;
    this.#kept--;
    this.#tookKept = true;
    return true;
  }

  #moveUp(): void {
    this.#units = this.#nextUnits;
    this.#until = this.#nextUntil;
    this.#nextUnits = 0;
  }
}
