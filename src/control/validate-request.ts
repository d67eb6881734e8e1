import { type DescMessage, fromBinary, type Registry } from '@bufbuild/protobuf';
import { pathToString } from '@bufbuild/protobuf/reflect';
import { createValidator } from '@bufbuild/protovalidate';
import { ServerInterceptingCall, type ServerInterceptor, type ServiceDefinition } from '@grpc/grpc-js';
import { findPatternWords } from '../contracts/pattern-words.ts';
import { Code } from '../grpc/status.ts';
import type { Logger } from '../telemetry/logger.ts';
import { readCaller } from './caller.ts';
import { ControlError, type FieldViolation } from './control-error.ts';
import { toErrorStatus } from './error-status.ts';

/** Checks one request message; gives what is wrong with it, nothing when it is right. */
type Check = (message: unknown) => readonly FieldViolation[];

/**
 * Refuses requests that break the rules which stand in the proto files (`buf.validate`): INVALID_ARGUMENT with
 * `google.rpc.BadRequest`. The handler behind it never sees them.
 *
 * @param services the services of the server; a method that the registry does not know is a programming error and throws
 */
export function createValidationInterceptor(
  services: readonly ServiceDefinition[],
  registry: Registry,
  log: Logger,
): ServerInterceptor {
  const checks = createChecks(services, registry);
  return (method, call) => {
    const check = checks.get(method.path);
    if (!check) return new ServerInterceptingCall(call);
    let requestId = '';
    let refused = false;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            requestId = readCaller(metadata).requestId;
            nextMetadata(metadata);
          },
          onReceiveMessage(message, nextMessage) {
            const error = refusalOf(check, message);
            if (error === undefined) return nextMessage(message);
            refused = true;
            call.sendStatus(toErrorStatus(error, requestId, log));
          },
          onReceiveHalfClose(nextHalfClose) {
            if (!refused) nextHalfClose();
          },
        }),
    });
  };
}

/** Why the message is refused: a ControlError, or what went wrong while checking it. */
function refusalOf(check: Check, message: unknown): unknown {
  try {
    const fields = check(message);
    if (fields.length === 0) return undefined;
    const text = fields.map((field) => `${field.field}: ${field.description}`).join('; ');
    return new ControlError(Code.INVALID_ARGUMENT, 'INVALID_REQUEST', `invalid request: ${text}`, { fields });
  } catch (error) {
    return error;
  }
}

function createChecks(services: readonly ServiceDefinition[], registry: Registry): Map<string, Check> {
  const validator = createValidator({ registry });
  const checks = new Map<string, Check>();
  for (const definition of services) {
    for (const method of Object.values(definition)) {
      const schema = requestSchema(method.path, registry);
      checks.set(method.path, (message) => {
        const result = validator.validate(schema, fromBinary(schema, method.requestSerialize(message)));
        if (result.kind === 'error') throw result.error;
        return (result.violations ?? []).map((violation) => ({
          field: pathToString(violation.field),
          description: findPatternWords(violation.message) ?? violation.message,
        }));
      });
    }
  }
  return checks;
}

function requestSchema(path: string, registry: Registry): DescMessage {
  const [, service = '', name = ''] = path.split('/');
  const method = registry.getService(service)?.methods.find((each) => each.name === name);
  if (!method) throw new Error(`no descriptor of ${path}`);
  return method.input;
}
