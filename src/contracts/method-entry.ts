/** The four call kinds of gRPC. */
export type CallKind = 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';

/** Policy of a method with every default filled in: method over service over defaults, configuration over both. */
export interface MethodPolicy {
  readonly requiredScopes: readonly string[];
  /** Of these the caller needs at least one; empty asks for none. */
  readonly anyScopes: readonly string[];
  /** Units of the `units` quota that a call costs; 0 is free. */
  readonly cost: number;
  /** Milliseconds; undefined is no bound. */
  readonly maxDeadlineMs: number | undefined;
  readonly idempotent: boolean;
  /** Name of a limit in the plan, drawn on beside `calls`. */
  readonly limit: string | undefined;
  /** No credential needed. */
  readonly public: boolean;
  /** Of who has no role, instead of all that plan and key say of rates and concurrency: of each tenant its calls of this method. */
  readonly ownLimit?: OwnLimit | undefined;
  /** Names of request metadata that are never logged, in lower case; undefined for none. */
  readonly sensitiveMetadata?: readonly string[] | undefined;
}

/** As `RateLimit` of the snapshot; its name is none that a plan can have. */
export interface OwnLimit {
  readonly name: string;
  /** Calls per second. */
  readonly rate: number;
  readonly burst: number;
}

/** What the data plane knows of a method: everything later stages need, resolved once per snapshot. */
export interface MethodEntry {
  /** `/pkg.Service/Method`, as in `:path`. */
  readonly path: string;
  /** `pkg.Service/Method`, as in metrics. */
  readonly name: string;
  /** Name of the contract. */
  readonly contract: string;
  /** Name of the backend. */
  readonly backend: string;
  readonly kind: CallKind;
  readonly policy: MethodPolicy;
  /** Names of the listeners that show it, beside those that name its contract. */
  readonly listeners?: readonly string[] | undefined;
}
