/**
 * Keeps the last object of a kind that comes and goes with calls or connections.
 *
 * When V8 collects to give memory back, which is when nobody calls, it forgets the shapes ("maps") of objects of which none lives,
 * and throws away what it compiled for them (`MarkCompactCollector::RetainMaps`): the first 10,000 calls after an idle minute
 * then cost half a second of CPU more. One that lives is enough. It is kept with all that it
 * holds, which must be little: what peers may make large is given up before, or has a specimen of its own (`static specimen`, `hpack/specimens.ts`).
 */
export class Specimen<T> {
  #last: T | undefined = undefined;

  keep(one: T): void {
    this.#last = one;
  }

  /** The one that was kept last. */
  get last(): T | undefined {
    return this.#last;
  }
}
