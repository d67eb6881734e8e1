import {
  type Breaker,
  type BreakerServiceServer,
  type IsolateRequest,
  type ListBreakersRequest,
  BreakerServiceService as Methods,
  type ResetRequest,
  Breaker_State as State,
} from '../../generated/tollgate/admin/v1/breaker.ts';
import type { BreakerAdmin, BreakerStatus } from '../breaker/breaker-admin.ts';
import { Code } from '../grpc/status.ts';
import { toDuration } from '../metrics/series-report.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Caller } from './caller.ts';
import type { Changes } from './changes.ts';
import { ControlError } from './control-error.ts';
import { createUnaryHandler } from './unary-handler.ts';

const STATES = {
  closed: State.STATE_CLOSED,
  open: State.STATE_OPEN,
  half_open: State.STATE_HALF_OPEN,
  isolated: State.STATE_ISOLATED,
} as const;

/** `tollgate.admin.v1.BreakerService`. */
export function createBreakerService(
  breakers: BreakerAdmin,
  changes: Changes,
  now: () => number,
  log: Logger,
): BreakerServiceServer {
  const find = async (backend: string) => (await breakers.list()).find((status) => status.backend === backend);
  const change = async (
    what: 'isolate' | 'reset',
    { backend, validateOnly }: IsolateRequest | ResetRequest,
    { principalId: principal }: Caller,
  ): Promise<Breaker> => {
    const status = await answered(validateOnly ? find(backend) : breakers[what](backend));
    if (status === undefined) {
      throw new ControlError(Code.NOT_FOUND, 'NOT_FOUND', `there is no backend "${backend}"`, {
        metadata: { backend },
      });
    }
    if (!validateOnly) log.warn({ backend, change: what, principal }, 'an operator changed a circuit breaker');
    return toBreaker(status, now());
  };
  return {
    listBreakers: createUnaryHandler(log, async (_request: ListBreakersRequest) => ({
      breakers: (await breakers.list()).map((status) => toBreaker(status, now())),
    })),
    isolate: changes.handler(Methods.isolate, {
      run: (request: IsolateRequest, caller) => change('isolate', request, caller),
      repeat: (request, caller) => change('isolate', { ...request, validateOnly: true }, caller),
    }),
    reset: changes.handler(Methods.reset, {
      run: (request: ResetRequest, caller) => change('reset', request, caller),
      repeat: (request, caller) => change('reset', { ...request, validateOnly: true }, caller),
    }),
  };
}

/** The store's errors are not the caller's to read. */
async function answered<T>(change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (cause) {
    const error = new ControlError(
      Code.UNAVAILABLE,
      'STORE_SILENT',
      "the fleet's store does not answer: whether the breaker was changed is unknown, ask again",
    );
    error.cause = cause;
    throw error;
  }
}

function toBreaker(status: BreakerStatus, now: number): Breaker {
  return {
    backend: status.backend,
    state: STATES[status.phase],
    localState: STATES[status.local],
    retryAfter: status.retryAfterMs > 0 ? toDuration(status.retryAfterMs) : undefined,
    probes: status.probes,
    storeSilent: status.storeSilent,
    gateways: status.gateways.map(({ gateway, state, calls, failures, openedAgoMs }) => ({
      gateway,
      state: STATES[state],
      calls,
      failures,
      openTime: openedAgoMs === undefined ? undefined : new Date(now - openedAgoMs),
    })),
  };
}
