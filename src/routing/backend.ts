import type { Client, ClientTls } from '../http2/index.ts';
import type { DirectAnswers } from './direct-answers.ts';
import { DEFAULT_RETRY, Retries, type RetryOptions } from './retries.ts';

/** Leave to make one call. Exactly one of its methods is called, once. */
export interface Permit {
  /** The call ended with this gRPC status after so many milliseconds; the breaker knows what counts as a failure. */
  settle(status: number, durationMs: number): void;
  /** The call says nothing of the backend's health: the client cancelled, or the gateway ended it. */
  ignore(): void;
}

/** What routing asks of a circuit breaker. */
export interface Breaker {
  /** A permit, or the milliseconds until the breaker will admit a probe. Never waits. */
  acquire(): Permit | number;
}

/** One address of a backend. */
export interface Endpoint {
  readonly name: string;
  readonly client: Client;
  /** Calls begun and not ended. */
  outstanding: number;
  /** Monotonic milliseconds until which it is passed over, because it could not be reached. */
  avoidUntil: number;
}

/** How long an endpoint that could not be connected to is passed over while others are there, milliseconds. */
const AVOID_MS = 1000;

/** How long a backend may take to close its side when we have closed ours, milliseconds. */
const LAST_WORDS_MS = 1000;

/** A named set of endpoints behind one breaker. */
export class Backend {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  readonly breaker: Breaker;
  /** `:scheme` is https. */
  readonly secure: boolean;
  /** Milliseconds for calls that bring no deadline; undefined is none. */
  readonly defaultTimeoutMs: number | undefined;
  /** The gateway's own services: they are told what the caller's listener shows. */
  readonly isControl: boolean;
  /** How these answer past the wire. */
  readonly direct: DirectAnswers | undefined;
  readonly retries: Retries;
  readonly #random: () => number;

  constructor(options: {
    name: string;
    endpoints: readonly { name: string; client: Client }[];
    breaker: Breaker;
    secure: boolean;
    defaultTimeoutMs: number | undefined;
    isControl?: boolean;
    direct?: DirectAnswers | undefined;
    retry?: RetryOptions | undefined;
    /** In [0, 1). */
    random: () => number;
  }) {
    this.name = options.name;
    this.endpoints = options.endpoints.map((endpoint) => ({ ...endpoint, outstanding: 0, avoidUntil: 0 }));
    this.breaker = options.breaker;
    this.secure = options.secure;
    this.defaultTimeoutMs = options.defaultTimeoutMs;
    this.isControl = options.isControl ?? false;
    this.direct = options.direct;
    this.retries = new Retries(options.retry ?? DEFAULT_RETRY, options.random);
    this.#random = options.random;
  }

  /**
   * Power of two choices (Mitzenmacher, 2001): the less loaded of two drawn at random. Endpoints that lately could not be
   * reached are chosen only when the other draw was one, too.
   * @param now monotonic milliseconds
   */
  pick(now: number): Endpoint {
    const { endpoints } = this;
    const count = endpoints.length;
    if (count === 1) return endpoints[0]!;
    const first = Math.floor(this.#random() * count);
    // One of the others, so that two different ones are compared.
    const second = (first + 1 + Math.floor(this.#random() * (count - 1))) % count;
    const a = endpoints[first]!;
    const b = endpoints[second]!;
    const aAvoided = a.avoidUntil > now;
    const bAvoided = b.avoidUntil > now;
    if (aAvoided !== bAvoided) return aAvoided ? b : a;
    if (aAvoided) return endpoints.find((endpoint) => endpoint.avoidUntil <= now) ?? a;
    return b.outstanding < a.outstanding ? b : a;
  }

  /** Like `pick`, but another endpoint than that, if there is one that is not passed over. @param name where the last attempt was */
  pickOther(now: number, name: string | undefined): Endpoint {
    const picked = this.pick(now);
    if (picked.name !== name) return picked;
    const others = this.endpoints.filter((endpoint) => endpoint.name !== name && endpoint.avoidUntil <= now);
    return others[Math.floor(this.#random() * others.length)] ?? picked;
  }

  /** Whether some endpoint is not passed over. */
  hasReachable(now: number): boolean {
    return this.endpoints.some((endpoint) => endpoint.avoidUntil <= now);
  }

  /** Passes the endpoint over for a while. */
  avoid(endpoint: Endpoint, now: number): void {
    endpoint.avoidUntil = now + AVOID_MS;
  }

  /** New connections are made with this. */
  renewTls(tls: ClientTls): void {
    for (const { client } of this.endpoints) client.renewTls(tls);
  }

  /** Ends the connections. Calls that ran were ended before; a moment is left for backends to be told so. */
  async close(): Promise<void> {
    await Promise.all(this.endpoints.map((endpoint) => endpoint.client.close(LAST_WORDS_MS)));
  }

  /** Connections that are open, retired ones included. */
  get connections(): number {
    return this.endpoints.reduce((sum, { client }) => sum + client.connections, 0);
  }

  get outstanding(): number {
    let sum = 0;
    for (const endpoint of this.endpoints) sum += endpoint.outstanding;
    return sum;
  }
}
