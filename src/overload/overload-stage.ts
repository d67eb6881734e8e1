import type { Call, Refusal, Stage } from '../chain/call.ts';
import { gatewayOverloaded } from '../chain/refusal.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import { Priority } from '../sync/snapshot.ts';
import type { OverloadMonitor } from './overload-monitor.ts';

/**
 * Refuses new calls early while the gateway has too much to do, those of plans with a low priority first. It stands behind
 * authentication, which knows the plan, and before everything that costs: limits, quotas, a backend.
 */
export class OverloadStage implements Stage {
  readonly name = 'overload';
  /** Calls refused since the start. */
  refused = 0;
  readonly #monitor: Pick<OverloadMonitor, 'pressure'>;
  readonly #isExempt: (method: MethodEntry | undefined) => boolean;
  /** By priority: the share of calls that was to be refused and has not been yet. */
  readonly #owed: [number, number, number] = [0, 0, 0];

  /** @param isExempt health, and what an admin needs to help */
  constructor(monitor: Pick<OverloadMonitor, 'pressure'>, isExempt: (method: MethodEntry | undefined) => boolean) {
    this.#monitor = monitor;
    this.#isExempt = isExempt;
  }

  /** 0 to `MAX_PRESSURE`. */
  get pressure(): number {
    return this.#monitor.pressure;
  }

  admit(call: Call): Refusal | undefined {
    return this.#monitor.pressure === 0 ? undefined : this.#decide(call, this.#monitor.pressure);
  }

  #decide({ method, plan }: Call, pressure: number): Refusal | undefined {
    if (this.#isExempt(method)) return undefined;
    const priority = plan?.priority ?? Priority.NORMAL;
    const share = pressure - priority;
    if (share <= 0) return undefined;
    // Spread evenly and without chance: at a share of a third, every third call.
    this.#owed[priority] += Math.min(1, share);
    if (this.#owed[priority] < 1) return undefined;
    this.#owed[priority]--;
    return gatewayOverloaded(this.refused++);
  }
}
