import type { Metadata, ServerWritableStream } from '@grpc/grpc-js';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthServer,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../generated/grpc/health/v1/health.ts';
import { Code } from '../grpc/status.ts';
import type { Logger } from '../telemetry/logger.ts';
import { readCaller } from './caller.ts';
import { ControlError } from './control-error.ts';
import { toErrorStatus } from './error-status.ts';
import type { Health } from './health.ts';
import type { ReflectionIndex } from './reflection/reflection-index.ts';
import { createUnaryHandler } from './unary-handler.ts';

/** Watches need no credential, and each holds a stream. */
const MAX_WATCHES = 1000;

/**
 * `grpc.health.v1.Health`. Only services of the caller's listener are known: health is public, and must not tell what
 * else the gateway serves.
 *
 * @param visibleTo what the caller of that metadata may see
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export function createHealthService(
  health: Health,
  visibleTo: (metadata: Metadata) => readonly ReflectionIndex[],
  log: Logger,
): HealthServer {
  const isKnown = (service: string, metadata: Metadata): boolean =>
    service === '' || visibleTo(metadata).some((index) => index.services.includes(service));

  return {
    check: createUnaryHandler(log, ({ service }: HealthCheckRequest, _caller, metadata) => {
      if (isKnown(service, metadata)) return { status: toStatus(health.isServing(service)) };
      throw new ControlError(Code.NOT_FOUND, 'SERVICE_UNKNOWN', 'no service of that name is served here');
    }),

    watch(call) {
      if (health.watches < MAX_WATCHES) return watch(call, health, isKnown(call.request.service, call.metadata));
      const error = new ControlError(
        Code.RESOURCE_EXHAUSTED,
        'TOO_MANY_WATCHES',
        'too many watches: use Check instead',
      );
      call.emit('error', toErrorStatus(error, readCaller(call.metadata).requestId, log));
    },
  };
}

type WatchCall = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

function watch(call: WatchCall, health: Health, known: boolean): void {
  const { service } = call.request;
  call.write({ status: known ? toStatus(health.isServing(service)) : ServingStatus.SERVICE_UNKNOWN });
  // The watch of an unknown service stays open, as the protocol has it, and counts like any other.
  const unsubscribe = health.watch(service, (serving, last) => {
    if (known) call.write({ status: toStatus(serving) });
    // A watch has no end of its own: open, it would hold up the gateway's stop for the whole grace.
    if (last) call.end();
  });
  for (const end of ['cancelled', 'close', 'error']) call.on(end, unsubscribe);
}

function toStatus(serving: boolean): HealthCheckResponse['status'] {
  return serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
}
