import type { Call, Finding, Refusal, Stage } from '../chain/call.ts';
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

  /** Under pressure it refuses a share of the calls: which ones, nobody can say beforehand. */
  explain(call: Call): readonly Finding[] {
    const share = this.#share(call, this.#monitor.pressure);
    const detail =
      share <= 0 ? 'none of such calls are refused' : `${Math.round(share * 100)} % of such calls are refused`;
    return [{ rule: 'pressure', detail, refusal: share >= 1 ? gatewayOverloaded(this.refused) : undefined }];
  }

  /** Of the calls like this one: 0 for none, 1 for all. */
  #share({ method, plan }: Call, pressure: number): number {
    if (pressure === 0 || this.#isExempt(method)) return 0;
    return Math.max(0, Math.min(1, pressure - (plan?.priority ?? Priority.NORMAL)));
  }

  #decide(call: Call, pressure: number): Refusal | undefined {
    const share = this.#share(call, pressure);
    if (share === 0) return undefined;
    const priority = call.plan?.priority ?? Priority.NORMAL;
    // Spread evenly and without chance: at a share of a third, every third call.
    this.#owed[priority] += share;
    if (this.#owed[priority] < 1) return undefined;
    this.#owed[priority]--;
    return gatewayOverloaded(this.refused++);
  }
}
