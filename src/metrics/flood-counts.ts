import type { FloodKind } from '../http2/index.ts';

/** Least milliseconds between two lines about one kind from one peer. */
const LOG_EVERY_MS = 10_000;

export interface FloodCount {
  /** Who broke the limit: `listener public`, `backend bookstore`. */
  readonly peer: string;
  readonly kind: FloodKind;
  readonly count: number;
}

interface Counter {
  count: number;
  toldAt: number;
  told: number;
}

/**
 * Counts the limits that peers broke, and says so in the log, once in ten seconds for each peer and kind: whoever sends a
 * flood must not flood the log. Bounded: peers come from the configuration, and the kinds are the engine's.
 */
export class FloodCounts {
  readonly #peers = new Map<string, Map<FloodKind, Counter>>();
  readonly #now: () => number;
  readonly #log: (fields: { peer: string; kind: FloodKind; count: number; from?: string }) => void;

  /**
   * @param now monotonic milliseconds
   * @param log told of `count` new ones at most every ten seconds; `from` is the address of the latest
   */
  constructor(
    now: () => number,
    log: (fields: { peer: string; kind: FloodKind; count: number; from?: string }) => void,
  ) {
    this.#now = now;
    this.#log = log;
  }

  count(peer: string, kind: FloodKind, from?: string): void {
    const counter = this.#counter(peer, kind);
    counter.count++;
    const now = this.#now();
    if (now - counter.toldAt < LOG_EVERY_MS) return;
    const count = counter.count - counter.told;
    counter.toldAt = now;
    counter.told = counter.count;
    this.#log(from === undefined ? { peer, kind, count } : { peer, kind, count, from });
  }

  list(): FloodCount[] {
    return [...this.#peers].flatMap(([peer, kinds]) => [...kinds].map(([kind, { count }]) => ({ peer, kind, count })));
  }

  #counter(peer: string, kind: FloodKind): Counter {
    let kinds = this.#peers.get(peer);
    if (kinds === undefined) {
      kinds = new Map();
      this.#peers.set(peer, kinds);
    }
    let counter = kinds.get(kind);
    if (counter === undefined) {
      counter = { count: 0, toldAt: Number.NEGATIVE_INFINITY, told: 0 };
      kinds.set(kind, counter);
    }
    return counter;
  }
}
