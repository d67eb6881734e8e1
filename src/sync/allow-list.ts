import { RESERVED_CONTRACTS } from '../contracts/builtin.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';

type Methods = ReadonlyMap<string, MethodEntry>;

const SERVICE_METHOD = /^(.*)\/[^/]*$/;

/**
 * What a plan's tenants, or one tenant, may call: contracts, services and methods by name. The gateway's own contracts are not
 * confined: their methods ask for scopes, and an admin could lock out everybody.
 */
export class AllowList {
  readonly names: readonly string[];
  /** The contracts that `#allowed` was made from. */
  #methods: Methods | undefined = undefined;
  #allowed: ReadonlySet<MethodEntry> = new Set();

  /** @param names at least one */
  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** @param methods all of the snapshot that `method` is of. Names are looked at when they are others than the last time */
  allows(method: MethodEntry, methods: Methods): boolean {
    if (methods !== this.#methods) this.#compile(methods);
    return this.#allowed.has(method);
  }

  #compile(methods: Methods): void {
    const names = new Set(this.names);
    const allowed = new Set<MethodEntry>();
    for (const method of methods.values()) {
      const service = SERVICE_METHOD.exec(method.name)?.[1] ?? '';
      const isNamed = names.has(method.contract) || names.has(service) || names.has(method.name);
      if (isNamed || RESERVED_CONTRACTS.includes(method.contract)) allowed.add(method);
    }
    this.#methods = methods;
    this.#allowed = allowed;
  }
}

/** Undefined for an empty list: everything. */
export function toAllowList(names: readonly string[]): AllowList | undefined {
  return names.length === 0 ? undefined : new AllowList(names);
}
