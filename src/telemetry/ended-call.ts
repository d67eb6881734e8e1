import type { Call } from '../chain/call.ts';
import type { AttemptsMade } from '../routing/exchange-parts.ts';

/** Whose call it was; undefined for one that nobody authenticated for. */
export function tenantOf({ tenant, principal }: Call): string | undefined {
  return tenant?.id ?? principal?.tenantId;
}

/** How often it was sent to a backend. */
export function countAttempts({ past, sentTo }: Pick<AttemptsMade, 'past' | 'sentTo'>): number {
  return (past?.length ?? 0) + (sentTo === undefined ? 0 : 1);
}

/** Whether it may be slow: a stream of answers that the backend keeps open for hours is not. */
export function answersOnce({ method }: Call): boolean {
  return method?.kind === 'unary' || method?.kind === 'client_stream';
}
