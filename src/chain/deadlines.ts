/** Something that ends at a time; its links belong to `Deadlines`. */
export interface Deadline {
  /** Monotonic milliseconds. Set before `add`, and not changed while it is in. */
  deadlineAt: number;
  deadlineNext: Deadline | undefined;
  deadlinePrevious: Deadline | undefined;
  /** The slot it is in; -1 when it is in none. */
  deadlineSlot: number;
  onDeadline(): void;
}

const TICK_MS = 5;
const SLOTS = 1024;

/**
 * A hashed timing wheel (Varghese and Lauck, 1987): adding and removing a deadline costs a few writes and no allocation,
 * and one timer serves all calls, running only while there are deadlines. It fires up to 5 ms late, never early.
 */
export class Deadlines {
  readonly #now: () => number;
  readonly #slots: (Deadline | undefined)[] = new Array(SLOTS).fill(undefined);
  #tick: number;
  #size = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
    this.#tick = this.#tickOf(now());
  }

  get size(): number {
    return this.#size;
  }

  add(entry: Deadline): void {
    if (this.#size === 0) this.#start();
    // Rounded up, and at least one tick ahead of the hand: a slot that was swept is seen again only after a whole turn.
    const tick = Math.max(this.#tickOf(entry.deadlineAt) + 1, this.#tick + 1);
    const slot = tick % SLOTS;
    const head = this.#slots[slot];
    entry.deadlineSlot = slot;
    entry.deadlinePrevious = undefined;
    entry.deadlineNext = head;
    if (head !== undefined) head.deadlinePrevious = entry;
    this.#slots[slot] = entry;
    this.#size++;
  }

  /** Does nothing when the entry is not in. */
  remove(entry: Deadline): void {
    if (entry.deadlineSlot < 0) return;
    const { deadlineNext: next, deadlinePrevious: previous } = entry;
    if (previous !== undefined) previous.deadlineNext = next;
    else this.#slots[entry.deadlineSlot] = next;
    if (next !== undefined) next.deadlinePrevious = previous;
    entry.deadlineSlot = -1;
    entry.deadlineNext = undefined;
    entry.deadlinePrevious = undefined;
    this.#size--;
  }

  /** Fires what is due. Called by the wheel's own timer; tests call it with their clock. */
  sweep(): void {
    const now = this.#now();
    const last = this.#tickOf(now);
    // After a long stall one turn of the wheel sees every slot.
    let tick = Math.max(this.#tick + 1, last - SLOTS + 1);
    for (; tick <= last; tick++) this.#fire(tick % SLOTS, now);
    if (last > this.#tick) this.#tick = last;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fire(slot: number, now: number): void {
    let entry = this.#slots[slot];
    while (entry !== undefined) {
      const next: Deadline | undefined = entry.deadlineNext;
      if (entry.deadlineAt <= now) {
        this.remove(entry);
        entry.onDeadline();
        // A deadline that fires may remove others, the next among them: begin the slot again.
        entry = next !== undefined && next.deadlineSlot !== slot ? this.#slots[slot] : next;
      } else {
        entry = next;
      }
    }
  }

  #start(): void {
    this.#tick = this.#tickOf(this.#now());
    this.#timer ??= setTimeout(this.#onTimer, TICK_MS);
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    this.sweep();
    if (this.#size > 0) this.#timer = setTimeout(this.#onTimer, TICK_MS);
  };

  #tickOf(ms: number): number {
    return Math.floor(ms / TICK_MS);
  }
}
