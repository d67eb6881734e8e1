import type { Call, Outcome } from '../chain/call.ts';
import { Code } from '../grpc/status.ts';
import type { EndedCall } from '../routing/exchange-parts.ts';
import { answersOnce, countAttempts, tenantOf } from './ended-call.ts';
import type { Logger } from './logger.ts';
import { Repeats } from './repeats.ts';

/** Which calls have a line. */
export interface AccessLogSettings {
  /** Share of the calls that neither failed nor were slow. */
  readonly ratio: number;
  /** Milliseconds that a call of one answer takes to be slow; undefined: none is. */
  readonly slowMs: number | undefined;
  readonly maxPerSecond: number;
  /** Names of request metadata that are logged, in lower case. */
  readonly metadata: readonly string[];
}

/** Failures can be caused by strangers, and a log is not theirs to fill: hence the bound. */
export const DEFAULT_ACCESS_LOG: AccessLogSettings = { ratio: 0, slowMs: undefined, maxPerSecond: 100, metadata: [] };

/** Of a value that is logged, so many characters. */
const MAX_VALUE = 256;
/** Names of metadata that hold what nobody should read in a log. */
const SECRET = /auth|cookie|token|secret|passw|api[-_.]?key|credential|signature|session/;

/** Whether metadata of this name is taken for a credential. */
export function isSecretName(name: string): boolean {
  return SECRET.test(name.toLowerCase());
}

export interface AccessLogParts {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * One line (`info`) for each call that was refused, failed or slow, and for a share of the others; at `debug` one for every
 * call. What is too much is counted instead (see `Repeats`). No line has a credential, and none anything of a message: of the
 * caller it says the tenant and the key's public id.
 */
export class AccessLog {
  readonly #log: Logger;
  readonly #settings: AccessLogSettings;
  readonly #random: () => number;
  readonly #repeats: Repeats;
  /** Calls that went well have no line, but at `debug`. */
  readonly #onlyTrouble: boolean;
  /** As of the log: to ask it for each call costs more than all else that is done for a call without a line. */
  #isDebug: boolean;

  constructor(log: Logger, settings: AccessLogSettings, { now, random }: AccessLogParts) {
    this.#log = log;
    this.#settings = settings;
    this.#random = random;
    this.#isDebug = log.isLevelEnabled('debug');
    log.on('level-change', this.#onLevel);
    this.#onlyTrouble = settings.ratio <= 0 && settings.slowMs === undefined;
    this.#repeats = new Repeats(settings.maxPerSecond, now, (what, more) => {
      this.#log.info({ ...what, more }, `${more} more like this`);
    });
  }

  /** A subscriber of the end of calls. */
  readonly onEnd = (call: EndedCall, outcome: Outcome): void => {
    // Nearly every call of nearly every gateway: a comparison or two is all that it costs.
    if (this.#onlyTrouble && outcome.status === Code.OK && !this.#isDebug) return;
    const what = this.#kindOf(call, outcome);
    if (what === undefined) {
      if (this.#isDebug) this.#log.debug(this.#describe(call, outcome), 'call ended');
      return;
    }
    if (!this.#log.isLevelEnabled('info')) return;
    const like = {
      tenant: tenantOf(call),
      method: call.method?.name,
      status: outcome.status,
      reason: outcome.refusal?.reason,
    };
    if (this.#repeats.take(like)) this.#log.info(this.#describe(call, outcome), what);
  };

  readonly #onLevel = (): void => {
    this.#isDebug = this.#log.isLevelEnabled('debug');
  };

  /** Tells what was left out so far. */
  close(): void {
    this.#log.off('level-change', this.#onLevel);
    this.#repeats.close();
  }

  #kindOf(call: Call, { status, refusal, durationMs }: Outcome): string | undefined {
    if (refusal !== undefined) return 'call refused';
    if (status !== Code.OK) return 'call failed';
    const { slowMs, ratio } = this.#settings;
    if (slowMs !== undefined && durationMs >= slowMs && answersOnce(call)) return 'slow call';
    return ratio > 0 && this.#random() < ratio ? 'call' : undefined;
  }

  #describe(call: EndedCall, outcome: Outcome): Record<string, unknown> {
    const { traffic, backendMs, durationMs } = outcome;
    const { attempts } = call;
    return {
      request_id: call.requestId,
      trace_id: call.trace?.traceId,
      listener: call.listener.name,
      tenant: tenantOf(call),
      principal: call.principal?.id,
      method: call.method?.name,
      status: outcome.status,
      reason: outcome.refusal?.reason,
      why: outcome.refusal?.metadata?.why,
      cancelled: outcome.cancelled || undefined,
      reached_backend: outcome.reachedBackend,
      backend: attempts?.backendName || undefined,
      endpoint: attempts?.endpointName,
      attempts: attempts?.past && countAttempts(attempts),
      duration_ms: rounded(durationMs),
      backend_ms: backendMs === undefined ? undefined : rounded(backendMs),
      request_octets: traffic?.requestOctets,
      response_octets: traffic?.responseOctets,
      remote: call.remoteAddress,
      peer: peerName(call.peerIdentity),
      metadata: this.#metadata(call),
    };
  }

  #metadata(call: EndedCall): Record<string, string> | undefined {
    const sensitive = call.method?.policy.sensitiveMetadata ?? [];
    const logged = this.#settings.metadata.filter((name) => !sensitive.includes(name) && !isSecretName(name));
    if (logged.length === 0) return undefined;
    const values = logged.flatMap((name) => {
      const value = call.metadata(name);
      return value === undefined ? [] : [[name, value.slice(0, MAX_VALUE)] as const];
    });
    return values.length === 0 ? undefined : Object.fromEntries(values);
  }
}

/** Milliseconds with the microseconds. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** The name of a verified client certificate that says most. */
function peerName(peer: Call['peerIdentity']): string | undefined {
  return peer?.uris[0] ?? peer?.dnsNames[0] ?? peer?.commonName ?? peer?.fingerprint;
}
