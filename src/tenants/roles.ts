/** What an administrator may do: everything; the day's work, but for who administers and the plan of those; looking. */
export type Role = 'owner' | 'operator' | 'viewer';

/** Roles are carried by scopes. `tollgate.admin` is the older name of the owner's. */
export const ROLE_SCOPES: ReadonlyMap<string, Role> = new Map([
  ['tollgate.owner', 'owner'],
  ['tollgate.admin', 'owner'],
  ['tollgate.operator', 'operator'],
  ['tollgate.viewer', 'viewer'],
]);

/** With it a tenant's own credential manages that tenant's keys. */
export const KEYS_SCOPE = 'tollgate.keys';

/** With it a key without a role reads `/metrics`, and no more: for whoever collects them. */
export const METRICS_SCOPE = 'tollgate.metrics';

const RANK: readonly Role[] = ['owner', 'operator', 'viewer'];

/** The highest role that the scopes carry; undefined: none, which leaves what is for a tenant itself. */
export function roleOf(scopes: ReadonlySet<string>): Role | undefined {
  const held = new Set([...ROLE_SCOPES].filter(([scope]) => scopes.has(scope)).map(([, role]) => role));
  return RANK.find((role) => held.has(role));
}

/** Scopes that mean something to the gateway itself. Only an owner gives them, but for `tollgate.keys`. */
export function isOwnersScope(scope: string): boolean {
  return scope.startsWith('tollgate.') && scope !== KEYS_SCOPE;
}
