import type { AffectedCalls, ChangeEvidence } from '../../../generated/tollgate/admin/v1/plan.ts';
import type { MethodEntry } from '../../contracts/method-entry.ts';
import type { Decided, DecisionLog } from '../../decisions/decision-log.ts';
import { type Rules, replay } from '../../decisions/replay.ts';
import { counterOf } from '../../quota/meter.ts';
import { Periods } from '../../quota/period.ts';
import type { QuotaLedger } from '../../store/ledger.ts';
import { effectivePlan, override } from '../../sync/effective-plan.ts';
import type { Plan, Snapshot } from '../../sync/snapshot.ts';

export interface EvidenceSource {
  readonly decided: Pick<DecisionLog, 'entries'>;
  readonly sync: { readonly current: Snapshot };
  readonly quotas: QuotaLedger;
  /** Unix milliseconds, by which quotas begin anew. */
  readonly calendar: () => number;
}

const MAX_TENANTS = 1000;
const MAX_AFFECTED = 1000;

/** Rules that a tenant's calls are decided by, before and after. */
type RulesOf = (tenantId: string) => readonly [before: Rules, after: Rules] | undefined;

/** What a change of limits, quotas or policies would have meant for the calls of late. */
export class Evidence {
  readonly #source: EvidenceSource;
  readonly #periods = new Periods();

  constructor(source: EvidenceSource) {
    this.#source = source;
  }

  /** Of another plan. @param concerns whether a tenant's calls are looked at. @throws what the store throws */
  ofPlan(before: Plan, after: Plan, concerns: (tenantId: string) => boolean): Promise<ChangeEvidence> {
    const { methods, tenants } = this.#source.sync.current;
    return this.#of(concerns, (tenantId) => {
      const overrides = tenants.get(tenantId)?.overrides;
      const [was, is] =
        overrides === undefined ? [before, after] : [override(before, overrides), override(after, overrides)];
      return [
        { plan: was, methods },
        { plan: is, methods },
      ];
    });
  }

  /** Of other methods and policies of a contract: all calls of those who called one of its methods are looked at. @throws what the store throws */
  ofContract(id: string, changed: readonly MethodEntry[]): Promise<ChangeEvidence> {
    const { current } = this.#source.sync;
    const { methods } = current;
    const others = [...methods].filter(([, { contract }]) => contract !== id);
    const after = new Map([...others, ...changed.map((method) => [method.path, method] as const)]);
    const callers = new Set<string>();
    for (const { tenantId, path } of this.#source.decided.entries()) {
      if (methods.get(path)?.contract === id) callers.add(tenantId);
    }
    return this.#of(
      (tenantId) => callers.has(tenantId),
      (tenantId) => {
        const tenant = current.tenants.get(tenantId);
        const plan = tenant && effectivePlan(current, tenant);
        return (
          plan && [
            { plan, methods },
            { plan, methods: after },
          ]
        );
      },
    );
  }

  async #of(concerns: (tenantId: string) => boolean, rulesOf: RulesOf): Promise<ChangeEvidence> {
    const byTenant = groupByTenant(this.#source.decided.entries(), concerns);
    const affected: AffectedCalls[] = [];
    let calls = 0;
    let first = Number.POSITIVE_INFINITY;
    for (const [tenantId, decided] of byTenant) {
      const rules = rulesOf(tenantId);
      if (rules === undefined) continue;
      calls += decided.reduce((sum, { admitted, refused }) => sum + admitted + refused, 0);
      first = Math.min(first, decided[0]?.second ?? first);
      const [was, is] = rules;
      const used = await this.#usedBefore(tenantId, [...was.plan.quotas, ...is.plan.quotas], decided);
      const found = replay({ decided, used }, was, is);
      affected.push(...found.map(({ path, ...rest }) => ({ tenantId, method: path.slice(1), ...rest })));
    }
    return {
      startTime: calls === 0 ? undefined : new Date(first * 1000),
      calls,
      newlyRefused: affected.reduce((sum, { newlyRefused }) => sum + newlyRefused, 0),
      newlyAdmitted: affected.reduce((sum, { newlyAdmitted }) => sum + newlyAdmitted, 0),
      affected: affected.sort((a, b) => impactOf(b) - impactOf(a)).slice(0, MAX_AFFECTED),
    };
  }

  /** How the counters stood before the calls that are looked at: as they stand, without what these used. */
  async #usedBefore(
    tenantId: string,
    quotas: readonly Plan['quotas'][number][],
    decided: readonly Decided[],
  ): Promise<ReadonlyMap<string, number>> {
    const used = new Map<string, number>();
    for (const quota of quotas) {
      const metric = counterOf(quota);
      const { start, end } = this.#periods.at(quota, this.#source.calendar());
      const { total, adjusted } = await this.#source.quotas.standing({
        ...{ tenantId, metric },
        ...{ periodStart: start, periodEnd: end },
      });
      const since = unitsOf(decided, this.#source.sync.current.methods, start);
      used.set(metric, Math.max(0, total - since) - adjusted);
    }
    return used;
  }
}

function groupByTenant(
  entries: Iterable<Decided>,
  concerns: (tenantId: string) => boolean,
): ReadonlyMap<string, readonly Decided[]> {
  const byTenant = new Map<string, Decided[]>();
  for (const entry of entries) {
    const known = byTenant.get(entry.tenantId);
    if (known !== undefined) known.push(entry);
    else if (byTenant.size < MAX_TENANTS && concerns(entry.tenantId)) byTenant.set(entry.tenantId, [entry]);
  }
  return byTenant;
}

/** What admitted calls cost from a time on. */
function unitsOf(decided: readonly Decided[], methods: ReadonlyMap<string, MethodEntry>, from: number): number {
  let units = 0;
  for (const { second, path, admitted } of decided) {
    if (second * 1000 >= from) units += admitted * (methods.get(path)?.policy.cost ?? 0);
  }
  return units;
}

function impactOf({ newlyRefused, newlyAdmitted }: AffectedCalls): number {
  return newlyRefused + newlyAdmitted;
}
