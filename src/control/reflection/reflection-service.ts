import type { DescFile } from '@bufbuild/protobuf';
import type { Metadata, ServerDuplexStream } from '@grpc/grpc-js';
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
  ServerReflectionServer,
} from '../../../generated/grpc/reflection/v1/reflection.ts';
import { answerReflection } from './answer-reflection.ts';
import type { ReflectionIndex } from './reflection-index.ts';

/**
 * Server reflection. v1 and v1alpha are the same on the wire, but for the service's name: one implementation serves both.
 *
 * @param visibleTo what the caller of that metadata may see; asked once per stream
 */
export function createReflectionService(
  visibleTo: (metadata: Metadata) => readonly ReflectionIndex[],
): ServerReflectionServer {
  return {
    serverReflectionInfo(call: ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>) {
      const visible = visibleTo(call.metadata);
      const sent = new Set<DescFile>();
      call.on('data', (request: ServerReflectionRequest) => {
        // One who asks and does not read the answers is not heard further: answers are far larger than questions.
        if (call.write(answerReflection(request, visible, sent))) return;
        call.pause();
        call.once('drain', () => call.resume());
      });
      call.on('end', () => call.end());
      // A caller that went away: nobody is left to tell.
      call.on('error', () => call.destroy());
    },
  };
}
