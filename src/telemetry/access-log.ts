import type { Call, Outcome } from '../chain/call.ts';
import type { Logger } from './logger.ts';

/** Told of the end of each call. */
export type CallEndListener = (call: Call, outcome: Outcome, requestId: string) => void;

/** Lines per second that failures may take: strangers can cause them, and a log is not theirs to fill. */
const LINES_PER_SECOND = 100;

/**
 * One line for each call that was refused or failed (`info`, at most 100 a second; what is above is counted and told on
 * the next line as `suppressed`), and at `debug` one for each call that went well. No line has a credential: of the
 * caller it says the tenant and the key's public id.
 *
 * @param now monotonic milliseconds
 */
export function createAccessLog(log: Logger, now: () => number): CallEndListener {
  const budget = createLineBudget(now);
  return (call, outcome, requestId) => {
    if (outcome.status === 0) {
      if (log.isLevelEnabled('debug')) log.debug(describe(call, outcome, requestId), 'call ended');
      return;
    }
    if (!log.isLevelEnabled('info') || !budget.take()) return;
    const line = describe(call, outcome, requestId);
    const suppressed = budget.takeSuppressed();
    log.info(suppressed === 0 ? line : { ...line, suppressed }, outcome.refusal ? 'call refused' : 'call failed');
  };
}

function describe(call: Call, outcome: Outcome, requestId: string): Record<string, unknown> {
  return {
    request_id: requestId,
    tenant: call.tenant?.id ?? call.principal?.tenantId,
    principal: call.principal?.id,
    method: call.method?.name,
    status: outcome.status,
    reason: outcome.refusal?.reason,
    cancelled: outcome.cancelled || undefined,
    reached_backend: outcome.reachedBackend,
    duration_ms: Math.round(outcome.durationMs * 1000) / 1000,
    remote: call.remoteAddress,
    peer: peerName(call.peerIdentity),
  };
}

/** The name of a verified client certificate that says most. */
function peerName(peer: Call['peerIdentity']): string | undefined {
  return peer?.uris[0] ?? peer?.dnsNames[0] ?? peer?.commonName ?? peer?.fingerprint;
}

interface LineBudget {
  take(): boolean;
  /** How many were refused since the last time this was asked. */
  takeSuppressed(): number;
}

function createLineBudget(now: () => number): LineBudget {
  let windowStart = Number.NEGATIVE_INFINITY;
  let used = 0;
  let suppressed = 0;
  return {
    take() {
      const time = now();
      if (time - windowStart >= 1000) {
        windowStart = time;
        used = 0;
      }
      if (used < LINES_PER_SECOND) {
        used++;
        return true;
      }
      suppressed++;
      return false;
    },
    takeSuppressed() {
      const count = suppressed;
      suppressed = 0;
      return count;
    },
  };
}
