import type { JWTVerifyGetKey } from 'jose';
import type { KeyPlace } from '../../sync/trusted-names.ts';
import { Lru, LruEntry } from '../lru.ts';
import { givenKeys, type KeyFetch, KeySource, type KeySourceOptions } from './key-source.ts';

/** Places whose keys are kept. Only what tenants are configured with comes in here: strangers cannot fill it. */
const MAX_SOURCES = 10_000;

class Entry extends LruEntry {
  readonly find: JWTVerifyGetKey;
  readonly source: KeySource | undefined;

  constructor(key: string, find: JWTVerifyGetKey, source: KeySource | undefined) {
    super(key);
    this.find = find;
    this.source = source;
  }
}

export type KeySourcesOptions = Omit<KeySourceOptions, 'place'>;

/** The keys of all issuers, by their place: tenants that share one share its keys, and their fetches. */
export class KeySources {
  readonly #options: KeySourcesOptions;
  readonly #sources = new Lru<Entry>(MAX_SOURCES, (entry) => this.#drop(entry));
  /** Of sources that are gone. */
  #fetches = 0;
  #failures = 0;

  constructor({ fetch, now, refreshMs, maxAgeMs, onFailure }: KeySourcesOptions) {
    this.#options = {
      fetch,
      now,
      refreshMs,
      maxAgeMs,
      onFailure: (place, error) => {
        this.#failures++;
        onFailure(place, error);
      },
    };
  }

  get stats(): { readonly fetches: number; readonly failures: number } {
    let fetches = this.#fetches;
    for (const entry of this.#sources.values()) fetches += entry.source?.fetches ?? 0;
    return { fetches, failures: this.#failures };
  }

  of(place: KeyPlace): JWTVerifyGetKey {
    const known = this.#sources.get(place.id);
    if (known !== undefined) return known.find;
    const source = place.kind === 'set' ? undefined : new KeySource({ ...this.#options, place });
    const entry = new Entry(place.id, source?.key ?? givenKeys(place.text), source);
    this.#sources.set(entry);
    return entry.find;
  }

  /** The last fetch of a place's keys that is over. */
  lastFetch(place: KeyPlace): KeyFetch | undefined {
    return this.#sources.get(place.id)?.source?.lastFetch;
  }

  close(): void {
    for (const { source } of this.#sources.values()) source?.close();
  }

  #drop({ source }: Entry): void {
    this.#fetches += source?.fetches ?? 0;
    source?.close();
  }
}
