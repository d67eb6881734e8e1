import type { DescFile } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '../../../generated/grpc/reflection/v1/reflection.ts';
import { encodeFile, type ReflectionIndex, withDependencies } from './reflection-index.ts';

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

/**
 * Answers one reflection request (grpc/reflection/v1/reflection.proto) from the contracts that the caller may see. Where
 * two contracts declare the same name, the first one answers.
 *
 * @param sent files that this stream has been sent already: their descriptors are not repeated as dependencies
 */
export function answerReflection(
  request: ServerReflectionRequest,
  visible: readonly ReflectionIndex[],
  sent: Set<DescFile>,
): ServerReflectionResponse {
  return {
    validHost: request.host,
    originalRequest: request,
    messageResponse: answer(request.messageRequest, visible, sent),
  };
}

function answer(
  request: ServerReflectionRequest['messageRequest'],
  visible: readonly ReflectionIndex[],
  sent: Set<DescFile>,
): Answer {
  switch (request?.$case) {
    case 'listServices':
      return listServices(visible);
    case 'fileByFilename': {
      const name = request.fileByFilename;
      return files(find(visible, (index) => index.files.get(name)) ?? `file not found: ${name}`, sent);
    }
    case 'fileContainingSymbol': {
      const symbol = request.fileContainingSymbol;
      return files(find(visible, (index) => index.symbols.get(symbol)) ?? `symbol not found: ${symbol}`, sent);
    }
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = request.fileContainingExtension;
      const found = find(visible, (index) => index.extensions.get(containingType)?.get(extensionNumber));
      return files(found ?? `extension not found: ${containingType} ${extensionNumber}`, sent);
    }
    case 'allExtensionNumbersOfType':
      return extensionNumbers(request.allExtensionNumbersOfType, visible);
    default:
      return failure(status.INVALID_ARGUMENT, 'the request asks for nothing');
  }
}

function find<T>(visible: readonly ReflectionIndex[], look: (index: ReflectionIndex) => T | undefined): T | undefined {
  for (const index of visible) {
    const found = look(index);
    if (found !== undefined) return found;
  }
  return undefined;
}

function listServices(visible: readonly ReflectionIndex[]): Answer {
  const names = new Set(visible.flatMap((index) => index.services));
  const service = [...names].sort().map((name) => ({ name }));
  return { $case: 'listServicesResponse', listServicesResponse: { service } };
}

/** The file asked for, always, and its dependencies that this stream lacks; or why there is none. */
function files(found: DescFile | string, sent: Set<DescFile>): Answer {
  if (typeof found === 'string') return failure(status.NOT_FOUND, found);
  const fresh = [...withDependencies(found)].filter((file) => file === found || !sent.has(file));
  for (const file of fresh) sent.add(file);
  return {
    $case: 'fileDescriptorResponse',
    fileDescriptorResponse: { fileDescriptorProto: fresh.map(encodeFile) },
  };
}

function extensionNumbers(type: string, visible: readonly ReflectionIndex[]): Answer {
  if (!visible.some((index) => index.symbols.has(type))) return failure(status.NOT_FOUND, `type not found: ${type}`);
  const numbers = new Set(visible.flatMap((index) => [...(index.extensions.get(type)?.keys() ?? [])]));
  return {
    $case: 'allExtensionNumbersResponse',
    allExtensionNumbersResponse: { baseTypeName: type, extensionNumber: [...numbers].sort((a, b) => a - b) },
  };
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { $case: 'errorResponse', errorResponse: { errorCode, errorMessage } };
}
