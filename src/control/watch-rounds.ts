import { type GetMetricsRequest, GetMetricsRequest as Query } from '../../generated/tollgate/metrics/v1/metrics.ts';
import type { Audience, Cursors, MetricsSource, Progress } from './metrics-service.ts';
import { Spread } from './spread.ts';
import { WatchMessages } from './watch-messages.ts';
import type { MetricsWatch } from './watch-metrics.ts';

/** Places of which is told in one round: those who were passed over each have another one, and an answer of their own. */
const MOST_PLACES = 8;
/** Of an interval, so that rounds which begin one after the other are spread over it, however many (Knuth, TAOCP 3, 6.4). */
const GOLDEN_RATIO = 0.618_034;

/** What somebody watches, and how often. */
export interface Watched {
  readonly query: GetMetricsRequest;
  readonly audience: Audience;
  readonly intervalMs: number;
}

/** Everybody who watches: those who watch the same at the same interval share their rounds. */
export class WatchTable {
  readonly #source: MetricsSource;
  readonly #spread = new Spread();
  readonly #rounds = new Map<string, WatchRounds>();
  #begun = 0;

  constructor(source: MetricsSource) {
    this.#source = source;
  }

  /** Begins to tell one more. @returns ends it */
  add(watch: MetricsWatch, watched: Watched): () => void {
    const { query, audience, intervalMs } = watched;
    const key = `${audience} ${intervalMs} ${Buffer.from(Query.encode(query).finish()).toString('latin1')}`;
    let rounds = this.#rounds.get(key);
    if (rounds === undefined) {
      const advance = (cursors: Cursors) => this.#source.advance(query, audience, cursors);
      const phaseMs = ((this.#begun++ * GOLDEN_RATIO) % 1) * intervalMs;
      rounds = new WatchRounds({ intervalMs, phaseMs, advance, spread: this.#spread });
      this.#rounds.set(key, rounds);
    }
    rounds.add(watch);
    const left = rounds;
    return () => {
      if (left.delete(watch) && this.#rounds.get(key) === left) this.#rounds.delete(key);
    };
  }
}

interface RoundsOptions {
  readonly intervalMs: number;
  /** When within the interval rounds begin. */
  readonly phaseMs: number;
  readonly advance: (cursors: Cursors) => Promise<Progress>;
  readonly spread: Spread;
}

/**
 * Those who watch the same. Each interval begins a round, unless the one before goes on: what was counted is worked out once, and
 * told to one after the other. So all stay at the same place, however long it takes to send to all of them; who does not take
 * what he is sent is passed over, and has a place of his own until he has caught up.
 */
class WatchRounds {
  readonly #options: RoundsOptions;
  /** Who was told the longest ago comes first. */
  readonly #watches = new Set<MetricsWatch>();
  #timer: NodeJS.Timeout | undefined = undefined;
  #goesOn = false;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** One more, who is told at once, and with the others from then on. */
  add(watch: MetricsWatch): void {
    this.#watches.add(watch);
    void this.#tell([watch]);
    if (this.#timer === undefined) this.#schedule();
  }

  /** @returns whether nobody is left */
  delete(watch: MetricsWatch): boolean {
    this.#watches.delete(watch);
    if (this.#watches.size > 0) return false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return true;
  }

  #schedule(): void {
    const { intervalMs, phaseMs } = this.#options;
    const next = () => {
      this.#schedule();
      void this.#round();
    };
    this.#timer = setTimeout(next, intervalMs - ((performance.now() + phaseMs) % intervalMs)).unref();
  }

  async #round(): Promise<void> {
    if (this.#goesOn) {
      for (const watch of this.#watches) watch.skip();
      return;
    }
    this.#goesOn = true;
    await Promise.all(this.#gather().map((watches) => this.#tell(watches)));
    this.#goesOn = false;
  }

  /** Who can be told, by where they are. */
  #gather(): MetricsWatch[][] {
    const byPlace = new Map<string, MetricsWatch[]>();
    for (const watch of this.#watches) {
      const same = byPlace.get(watch.place);
      if (!watch.isReady || (same === undefined && byPlace.size === MOST_PLACES)) watch.skip();
      else if (same === undefined) byPlace.set(watch.place, [watch]);
      else same.push(watch);
    }
    return [...byPlace.values()];
  }

  /** Tells those who are at the same place. Never rejects. */
  async #tell(watches: readonly MetricsWatch[]): Promise<void> {
    const { advance, spread } = this.#options;
    for (const watch of watches) watch.begin();
    try {
      const progress = await advance(watches[0]!.cursors);
      const messages = WatchMessages.of(progress);
      const place = [...progress.cursors].join(' ');
      for (const watch of watches) {
        if (watch.isClosed) continue;
        const message = await messages.get(watch);
        await spread.turn(message.length);
        watch.tell(message, progress.cursors, place);
        if (this.#watches.delete(watch)) this.#watches.add(watch);
      }
    } catch (error) {
      for (const watch of watches) watch.fail(error);
    }
  }
}
