import { BlockList, isIPv4 } from 'node:net';
import { sourceOf } from '../http2/index.ts';
import { Lru, LruEntry } from './lru.ts';

export interface FailedCredentialsOptions {
  /** Wrong credentials that a source may have checked at once, and so many more a second. */
  readonly burst: number;
  readonly rate: number;
  /** Networks whose sources are never slowed: `10.0.0.0/8`, `2001:db8::1`. */
  readonly exempt: readonly string[];
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Who tries: an address, and the connection that it comes by (any object, the same one for all its calls). */
export interface Attempt {
  readonly remoteAddress: string;
  readonly connection?: object | undefined;
}

/** Sources that are remembered; the one that failed longest ago makes room. */
const MAX_SOURCES = 16_384;
/** A debt grows to so many bursts at most: what a source did an hour ago is forgotten. */
const MAX_DEBT = 2;
/** Wrong credentials that a connection of a slowed source may have checked all the same. */
const OF_CONNECTION = 3;

class Source extends LruEntry {
  /** Failures, less those that have been forgiven since. */
  debt = 0;
  at = 0;
}

/**
 * Counts wrong credentials by where they come from, and says who has had enough: further credentials that are not known
 * already are then refused unchecked, with the answer that a wrong one gets. Known ones are never asked about here. Whoever
 * shares an address with an attacker and comes with a new credential still has that of its own connection.
 */
export class FailedCredentials {
  readonly #options: FailedCredentialsOptions;
  readonly #exempt = new BlockList();
  readonly #sources = new Lru<Source>(MAX_SOURCES, () => {});
  /** Failures of connections while their source was slowed. */
  readonly #connections = new WeakMap<object, number>();
  #failures = 0;
  #refused = 0;

  constructor(options: FailedCredentialsOptions) {
    this.#options = options;
    for (const network of options.exempt) {
      const [address = '', prefix] = network.split('/');
      const family = isIPv4(address) ? 'ipv4' : 'ipv6';
      this.#exempt.addSubnet(address, prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix), family);
    }
  }

  /** `failures`: credentials found wrong; `refused`: not even checked; `sources`: remembered now. Counted from the start. */
  get stats(): { readonly failures: number; readonly refused: number; readonly sources: number } {
    return { failures: this.#failures, refused: this.#refused, sources: this.#sources.size };
  }

  /** Whether one more credential that nobody knows is to be checked. */
  mayTry(attempt: Attempt): boolean {
    if (!this.#isSlowed(attempt)) return true;
    const { connection } = attempt;
    if (connection !== undefined && (this.#connections.get(connection) ?? 0) < OF_CONNECTION) return true;
    this.#refused++;
    return false;
  }

  /** One was checked, and is wrong. @param weight 1, or less for what is no guess */
  failed(attempt: Attempt, weight: number): void {
    this.#failures++;
    if (this.#isExempt(attempt.remoteAddress)) return;
    const { connection } = attempt;
    if (connection !== undefined && this.#isSlowed(attempt)) {
      this.#connections.set(connection, (this.#connections.get(connection) ?? 0) + 1);
    }
    const key = sourceOf(attempt.remoteAddress);
    const source = this.#sources.get(key) ?? new Source(key);
    const { burst, now } = this.#options;
    source.debt = Math.min(this.#debtOf(source) + weight, burst * MAX_DEBT);
    source.at = now();
    this.#sources.set(source);
  }

  #isSlowed({ remoteAddress }: Attempt): boolean {
    // Nobody has failed lately: nothing to look for.
    if (this.#sources.size === 0) return false;
    const source = this.#sources.get(sourceOf(remoteAddress));
    return source !== undefined && this.#debtOf(source) > this.#options.burst - 1;
  }

  #debtOf({ debt, at }: Source): number {
    const { rate, now } = this.#options;
    return Math.max(0, debt - ((now() - at) * rate) / 1000);
  }

  #isExempt(address: string): boolean {
    return this.#exempt.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  }
}
