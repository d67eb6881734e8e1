import type { Principal } from '../chain/call.ts';
import { isSelfService, SELF_CONTRACT } from '../contracts/builtin.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import type { Field } from '../http2/index.ts';
import type { Snapshot } from '../sync/snapshot.ts';
import { HEADER_NAMES } from './header-names.ts';

/** Tells the gateway's own services (and nobody else) which contracts the caller's listener shows. */
const CONTRACTS_HEADER = 'x-tollgate-contracts';
/** Tells them what the caller may do: its scopes, divided by blanks, which no scope has. */
const SCOPES_HEADER = 'x-tollgate-scopes';

/** What calls of one listener have in common: what it shows, trusts and tells. */
export class ListenerView {
  readonly name: string;
  /** A client's own valid `x-request-id` is kept. */
  readonly trustRequestId: boolean;
  /** Every refusal is one and the same (`errors: uniform`). */
  readonly uniformErrors: boolean;
  #contractsField: Field;
  readonly #contracts: ReadonlySet<string>;
  #all: ReadonlyMap<string, MethodEntry> | undefined = undefined;
  #shown: ReadonlyMap<string, MethodEntry> = new Map();

  /** @param contracts names of all contracts shown */
  constructor(options: {
    name: string;
    contracts: readonly string[];
    trustRequestId: boolean;
    uniformErrors: boolean;
  }) {
    this.name = options.name;
    this.trustRequestId = options.trustRequestId;
    this.uniformErrors = options.uniformErrors;
    this.#contracts = new Set(options.contracts);
    this.#contractsField = this.#fieldOf([]);
  }

  /** What the gateway's own services are told of the listener and the caller, beside what every backend is. */
  controlFields(principal: Principal | undefined): readonly Field[] {
    if (principal === undefined) return [this.#contractsField];
    return [this.#contractsField, HEADER_NAMES.field(SCOPES_HEADER, [...principal.scopes].join(' '))];
  }

  /** The methods that this listener shows, by `:path`; the same map for as long as the contracts are the same. */
  methodsOf(snapshot: Snapshot): ReadonlyMap<string, MethodEntry> {
    if (snapshot.methods !== this.#all) {
      this.#all = snapshot.methods;
      this.#shown = new Map([...snapshot.methods].filter(([, method]) => this.#shows(method)));
      this.#contractsField = this.#fieldOf([...this.#shown.values()].filter((method) => this.#isNamedBy(method)));
    }
    return this.#shown;
  }

  /** Whether the method's contract says that this listener shows it. */
  #isNamedBy(method: MethodEntry): boolean {
    return method.listeners?.includes(this.name) ?? false;
  }

  /** @param methods that it shows beside those of its own contracts */
  #fieldOf(methods: readonly MethodEntry[]): Field {
    const names = new Set([...this.#contracts, ...methods.map(({ contract }) => contract)]);
    return HEADER_NAMES.field(CONTRACTS_HEADER, [...names].join(','));
  }

  #shows(method: MethodEntry): boolean {
    if (this.#contracts.has(method.contract) || this.#isNamedBy(method)) return true;
    return this.#contracts.has(SELF_CONTRACT) && isSelfService(method);
  }
}
