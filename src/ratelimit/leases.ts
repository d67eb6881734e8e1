import { LEASE_LIFE_MS } from './lease-size.ts';

/** The units in hand: of the lease in use, and of one that was asked for before that was used up. */
export class Leases {
  #units = 0;
  /** Until when they are good. Monotonic milliseconds. */
  #until = 0;
  #nextUnits = 0;
  #nextUntil = 0;

  /** Units in hand, void ones included. */
  get units(): number {
    return this.#units + this.#nextUnits;
  }

  /** Takes a unit. @returns false when there is none */
  take(now: number): boolean {
    if (this.#units > 0 && now < this.#until) {
      this.#units--;
      return true;
    }
    if (this.#nextUnits === 0 || now >= this.#nextUntil) return false;
    this.#moveUp();
    this.#units--;
    return true;
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
    if (now < this.#until) this.#units++;
  }

  /** Whether there is a unit that is good. */
  any(now: number): boolean {
    return (this.#units > 0 && now < this.#until) || (this.#nextUnits > 0 && now < this.#nextUntil);
  }

  clear(): void {
    this.#units = 0;
    this.#nextUnits = 0;
  }

  #moveUp(): void {
    this.#units = this.#nextUnits;
    this.#until = this.#nextUntil;
    this.#nextUnits = 0;
  }
}
