import { ApiKey, ApiKey_State } from '../../generated/tollgate/admin/v1/api_key.ts';
import type { Principal } from '../chain/call.ts';
import type { Document, DocumentStore } from '../store/store.ts';
import { toRateLimit } from '../sync/from-document.ts';

/** A key in force. */
export interface FoundKey {
  readonly principal: Principal;
  /** Unix milliseconds; infinite when it never expires. */
  readonly expiresAt: number;
}

/** Makes of an answer what the look-up gives; undefined: there is no such key, or not one in force. */
export type Remember<T> = (hash: string, key: FoundKey | undefined) => T;

/** As often as this a look-up begins again because its key was changed meanwhile. */
const MAX_ROUNDS = 5;

interface Flight<T> {
  readonly result: Promise<T>;
  /** A change of the key was seen since the store was asked. */
  stale: boolean;
}

/** Looks keys up in the store: one look-up at a time for each hash, whoever waits for it, and not too many of them in all. */
export class KeyLookup<T> {
  readonly #documents: Pick<DocumentStore, 'getByHash'>;
  readonly #now: () => number;
  readonly #maxFlights: number;
  readonly #flights = new Map<string, Flight<T>>();

  readonly #remember: Remember<T>;
  readonly #evenTime: boolean;
  /** A hash that the store had when it was last asked for it. */
  #found: string | undefined = undefined;

  /**
   * @param now Unix milliseconds
   * @param remember called at the very moment when the answer is known not to be older than a change: were it later, in the
   * continuation of whoever waits, a revocation in between would be lost
   * @param evenTime looks at another key where there is none: that takes as long as one that is not in force
   */
  constructor(
    documents: Pick<DocumentStore, 'getByHash'>,
    now: () => number,
    maxFlights: number,
    remember: Remember<T>,
    evenTime = false,
  ) {
    this.#documents = documents;
    this.#remember = remember;
    this.#evenTime = evenTime;
    this.#now = now;
    this.#maxFlights = maxFlights;
  }

  /** Look-ups under way. */
  get flights(): number {
    return this.#flights.size;
  }

  /**
   * @returns undefined when too many look-ups are under way; the promise rejects when the store fails
   */
  find(hash: string): Promise<T> | undefined {
    const flying = this.#flights.get(hash);
    if (flying !== undefined) return flying.result;
    if (this.#flights.size >= this.#maxFlights) return undefined;
    const flight: Flight<T> = { result: Promise.resolve().then(() => this.#ask(hash, flight)), stale: false };
    this.#flights.set(hash, flight);
    return flight.result;
  }

  /** A key with this hash was written or deleted: an answer that is under way may be older than that. */
  changed(hash: string): void {
    const flight = this.#flights.get(hash);
    if (flight !== undefined) flight.stale = true;
  }

  async #ask(hash: string, flight: Flight<T>): Promise<T> {
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        flight.stale = false;
        const document = await this.#documents.getByHash('api_key', hash);
        if (document === undefined) await this.#lookAtAnother();
        else this.#found = hash;
        if (!flight.stale) return this.#remember(hash, document && this.#inForce(document));
      }
      throw new Error('the key was changed again and again while it was looked up');
    } finally {
      this.#flights.delete(hash);
    }
  }

  async #lookAtAnother(): Promise<void> {
    if (!this.#evenTime || this.#found === undefined) return;
    const other = await this.#documents.getByHash('api_key', this.#found);
    if (other !== undefined) this.#inForce(other);
  }

  #inForce(document: Document): FoundKey | undefined {
    const key = ApiKey.decode(document.body);
    const expiresAt = endOf(document, key);
    if (document.parent === undefined || expiresAt === undefined || expiresAt <= this.#now()) return undefined;
    const { id, parent: tenantId } = document;
    const limits = key.limits.length === 0 ? undefined : key.limits.map(toRateLimit);
    return { principal: { id, tenantId, scopes: new Set(key.scopes), limits }, expiresAt };
  }
}

/** When a stored key ends: Unix milliseconds, infinite when never. Undefined: it is not in force whatever the time. */
export function endOfKey(document: Document): number | undefined {
  return endOf(document, ApiKey.decode(document.body));
}

function endOf({ parent }: Document, { state, expireTime }: ApiKey): number | undefined {
  if (parent === undefined || state === ApiKey_State.STATE_DISABLED) return undefined;
  const end = expireTime?.getTime() ?? Number.POSITIVE_INFINITY;
  return Number.isNaN(end) ? undefined : end;
}
