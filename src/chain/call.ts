import type { MethodEntry } from '../contracts/method-entry.ts';
import type { Plan, RateLimit, Snapshot, Tenant } from '../sync/snapshot.ts';

/** Who calls: the outcome of authentication. Immutable; one object per cached credential. */
export interface Principal {
  /** What the backend is told as `x-principal-id`: the id of the API key, `<issuer's name>:<subject>`, or `x509:<name>`. */
  readonly id: string;
  readonly tenantId: string;
  readonly scopes: ReadonlySet<string>;
  /** Of the key itself, under those of the plan. Undefined: none. */
  readonly limits?: readonly RateLimit[] | undefined;
  /** Authentication's own: what it knows of the credential. Nobody else reads it. */
  readonly entry?: unknown;
}

/** Who the client's TLS certificate, which was verified, says it is. */
export interface PeerIdentity {
  /** A SPIFFE ID is one. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly commonName: string | undefined;
  /** SHA-256 of the certificate. */
  readonly fingerprint: string;
  /** Unix milliseconds, the end of its validity. */
  readonly expiresAt: number;
}

/**
 * What the caller presented. One object per distinct header block, so what authentication learned of it (`entry`) serves
 * every later call of the block without hashing the text again.
 */
export interface Credential {
  /** The text after `Bearer `, or of `x-api-key`; empty when there is none, more than one, or a malformed one. */
  readonly text: string;
  /** Authentication's own: the cache entry last found for `text`. Nobody else reads it. */
  entry: unknown;
}

/** No header says who calls: then the client's certificate may. One object for all calls that have none. */
export const NO_CREDENTIAL: Credential = { text: '', entry: undefined };

/** What a stage may know of a call. Fields are filled in as the call passes the stages. */
export interface Call {
  /** Monotonic milliseconds (`performance.now()`), when the request's headers arrived. */
  readonly startedAt: number;
  /** Held from begin to end. */
  readonly snapshot: Snapshot;
  /** Undefined when no contract of the listener has the path: authentication still comes first. */
  readonly method: MethodEntry | undefined;
  readonly credential: Credential;
  readonly remoteAddress: string;
  /** What it came by: the same object for all calls of a connection. */
  readonly connection?: object | undefined;
  /** Of mutual TLS; undefined without. Authentication may make a principal of it. */
  readonly peerIdentity: PeerIdentity | undefined;
  /** Set by authentication; undefined on public methods without a credential. */
  principal: Principal | undefined;
  tenant: Tenant | undefined;
  plan: Plan | undefined;
  /** Units reserved by the quota stage for this call; settled at its end. */
  reservedUnits: number;
  /** The times that stages made it wait; undefined for none, which is nearly always so. */
  waits?: StageWait[] | undefined;
  /** What counts the call as running, for as long as it does: set and cleared by the rate limit's stage. */
  countedBy: { running: number } | undefined;
}

/** A time that a call waited for something slow: a stage of the chain, or what that stage asked. */
export interface StageWait {
  readonly name: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** What a stage asked: `store`, a server across the network, or `key_set`. Absent: the stage itself. */
  readonly within?: string;
  /** Whom, where there are several. No secret. */
  readonly of?: string;
  readonly failed?: boolean;
}

/** Notes what a stage waits for, once it is over. */
export function noteWait(call: Pick<Call, 'waits'>, wait: StageWait): void {
  call.waits ??= [];
  call.waits.push(wait);
}

/** How a call ended; one value for breaker, quota, metrics, spans and logs. */
export interface Outcome {
  /** gRPC status code (0 to 16) that the client got, or would have got had it not cancelled. */
  readonly status: number;
  /** The refusal that ended the call at the gateway; undefined when the backend's own answer ended it. */
  readonly refusal: Refusal | undefined;
  /** The request's headers were handed to a backend connection. */
  readonly reachedBackend: boolean;
  /** The client cancelled. */
  readonly cancelled: boolean;
  /** Milliseconds from the request's headers to the end. */
  readonly durationMs: number;
  /** Milliseconds of it from when the request was handed to a backend's connection; undefined when it reached none. */
  readonly backendMs?: number | undefined;
  readonly traffic?: CallTraffic | undefined;
}

/** What a call has sent both ways: messages, and octets of DATA, which are the messages with their prefixes. */
export interface CallTraffic {
  readonly requestMessages: number;
  readonly responseMessages: number;
  readonly requestOctets: number;
  readonly responseOctets: number;
}

/** Why the gateway answers itself. Built in `refusal.ts` alone. */
export interface Refusal {
  /** gRPC status code. */
  readonly status: number;
  /** Stable, upper snake case: `google.rpc.ErrorInfo.reason`. */
  readonly reason: string;
  /** One sentence for people: what happened and what to do next. */
  readonly message: string;
  /** Milliseconds after which a retry makes sense; -1: never within the caller's patience (`grpc-retry-pushback-ms: -1`); undefined: nothing known. */
  readonly retryAfterMs: number | undefined;
  /** Which limit or quota, for `google.rpc.QuotaFailure`. */
  readonly violation: { readonly subject: string; readonly description: string } | undefined;
  /** More of `ErrorInfo.metadata`. */
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** What `admit` gives: undefined goes on, a refusal ends the call, a promise of either makes the runner wait. */
export type Verdict = Refusal | undefined | Promise<Refusal | undefined>;

/** What one rule of a stage would answer to a call. */
export interface Finding {
  /** Its name: `any_scopes`, `limit calls`. */
  readonly rule: string;
  /** What it goes by, for people. */
  readonly detail: string;
  /** Undefined: it admits the call. */
  readonly refusal: Refusal | undefined;
}

/** One link of the chain. Synchronous unless it really has to wait; it must not throw. */
export interface Stage {
  readonly name: string;
  admit(call: Call): Verdict;
  /** Told when an earlier stage waits: what `admit` will need of a store can be asked for now, and is there in time. It must not throw. */
  prepare?(call: Call): void;
  /** Called once for every call that this stage admitted, when the call ends, in reverse order of admission. */
  settle?(call: Call, outcome: Outcome): void;
  /**
   * What `admit` would answer now, rule by rule in the order in which they are asked, decided by the same code; spends nothing.
   * A stage that finds out who calls says so in the call.
   */
  explain?(call: Call): readonly Finding[] | Promise<readonly Finding[]>;
}
