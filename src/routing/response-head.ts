import { isGrpcContentType } from '../grpc/content-type.ts';
import { HeaderBlock } from '../http2/index.ts';
import { Kind } from './header-names.ts';

const DIGITS = /^\d{1,3}$/;

/** What one distinct header block or trailer section of a response says; kept as the block's memo. */
export class ResponseHead {
  /** `:status`; 0 in trailers. */
  readonly httpStatus: number;
  readonly isGrpc: boolean;
  /** There is a `grpc-status`, readable or not. */
  readonly hasStatus: boolean;
  /** `grpc-status`; undefined when there is none, or none that is a number. */
  readonly grpcStatus: number | undefined;
  /** `grpc-retry-pushback-ms`, as it stands there. */
  readonly pushback: string | undefined;
  /** What the client gets: the block itself, unless it has hop-by-hop fields. */
  readonly forward: HeaderBlock;

  constructor(block: HeaderBlock) {
    let httpStatus = 0;
    let isGrpc = false;
    let hopByHop = false;
    let status: string | undefined;
    for (const field of block.fields) {
      switch (field.kind) {
        case Kind.STATUS:
          httpStatus = Number(field.value);
          break;
        case Kind.CONTENT_TYPE:
          isGrpc = isGrpcContentType(field.value);
          break;
        case Kind.GRPC_STATUS:
          // Several must agree: which one a client takes differs from client to client.
          if (status === undefined || status === field.value) status = field.value;
          else status = '';
          break;
        case Kind.PUSHBACK:
          this.pushback = field.value;
          break;
        case Kind.HOP_BY_HOP:
        case Kind.HOST:
          hopByHop = true;
          break;
        default:
      }
    }
    this.httpStatus = httpStatus;
    this.isGrpc = isGrpc;
    this.hasStatus = status !== undefined;
    this.grpcStatus = status !== undefined && DIGITS.test(status) ? Number(status) : undefined;
    this.forward = hopByHop ? new HeaderBlock(block.fields.filter((field) => field.kind !== Kind.HOP_BY_HOP)) : block;
  }
}

export function readResponseHead(block: HeaderBlock): ResponseHead {
  const memo = block.memo;
  if (memo instanceof ResponseHead) return memo;
  const head = new ResponseHead(block);
  block.memo = head;
  return head;
}
