/** How far a tenant has used something that it has a limit of. */
export interface LimitUse {
  readonly tenantId: string;
  /** Name of the limit, or of the quota's metric and its period: `calls`, `units/day`. */
  readonly name: string;
  readonly kind: 'rate' | 'concurrency' | 'quota';
  readonly used: number;
  /** Above 0. */
  readonly limit: number;
}

/** The most used first. @param max of how many to tell */
export function mostUsed(uses: Iterable<LimitUse>, max: number): LimitUse[] {
  const all = [...uses].filter(({ used, limit }) => limit > 0 && used > 0);
  return all.sort((a, b) => b.used / b.limit - a.used / a.limit).slice(0, max);
}
