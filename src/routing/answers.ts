import type { Refusal } from '../chain/call.ts';
import { uniform } from '../chain/refusal.ts';
import { refusalDetails, retryPushback } from '../chain/refusal-details.ts';
import { encodeMessage } from '../grpc/message.ts';
import { type Field, HeaderBlock, type Stream } from '../http2/index.ts';
import { HEADER_NAMES } from './header-names.ts';

const OK = HEADER_NAMES.field(':status', '200');
const TOO_LARGE = HEADER_NAMES.field(':status', '431');
const GRPC = HEADER_NAMES.field('content-type', 'application/grpc');
const NOT_GRPC = 'This port speaks gRPC: POST with content-type application/grpc. See the documentation of Tollgate.\n';
const UNAUTHORIZED = 'Unauthorized\n';

/** Writes what the gateway itself answers: the one place where trailers of ours are made. */
export class Answers {
  /** What a listener with `errors: uniform` says instead of every refusal. */
  readonly uniform: Refusal = uniform();
  /** Refusals that are shared objects keep their encoded part; the others are made per call and die with it. */
  readonly #asHeaders = new WeakMap<Refusal, HeaderBlock>();
  readonly #asTrailers = new WeakMap<Refusal, HeaderBlock>();
  readonly #notGrpc = plainText('415', NOT_GRPC);
  readonly #unauthorized = plainText('401', UNAUTHORIZED);

  /**
   * Of a request whose headers are too long nothing is known: HTTP gets 431 (RFC 6585 section 5), and gRPC, which goes by
   * `grpc-status` where there is one, the refusal.
   */
  tooLarge(stream: Stream, refusal: Refusal, requestId: string): void {
    const block = new HeaderBlock([TOO_LARGE, GRPC, ...statusFields(refusal)]);
    stream.sendHeaders(block, this.#details(refusal, requestId), true);
  }

  /** A response of trailers only (gRPC over HTTP/2, "Responses"). */
  refuse(stream: Stream, refusal: Refusal, requestId: string): void {
    let block = this.#asHeaders.get(refusal);
    if (block === undefined) {
      block = new HeaderBlock([OK, GRPC, ...statusFields(refusal)]);
      this.#asHeaders.set(refusal, block);
    }
    stream.sendHeaders(block, this.#details(refusal, requestId), true);
  }

  /** Ends a response whose headers are out. */
  endWith(stream: Stream, refusal: Refusal, requestId: string): void {
    let block = this.#asTrailers.get(refusal);
    if (block === undefined) {
      block = new HeaderBlock(statusFields(refusal));
      this.#asTrailers.set(refusal, block);
    }
    stream.sendTrailers(block, this.#details(refusal, requestId));
  }

  /** The request is not gRPC. */
  notGrpc(stream: Stream, uniformErrors: boolean): void {
    const [block, body] = uniformErrors ? this.#unauthorized : this.#notGrpc;
    stream.sendHeaders(block, undefined, false);
    stream.sendData(body, 0, body.length, true);
  }

  #details(refusal: Refusal, requestId: string): readonly Field[] | undefined {
    // The uniform answer is the same each time: nothing in it tells one refusal from another.
    if (refusal === this.uniform) return undefined;
    const fields = [HEADER_NAMES.field('grpc-status-details-bin', refusalDetails(refusal, requestId))];
    const pushback = retryPushback(refusal);
    if (pushback !== undefined) fields.push(HEADER_NAMES.field('grpc-retry-pushback-ms', pushback));
    return fields;
  }
}

function statusFields(refusal: Refusal): Field[] {
  return [
    HEADER_NAMES.field('grpc-status', String(refusal.status)),
    HEADER_NAMES.field('grpc-message', encodeMessage(refusal.message)),
  ];
}

function plainText(status: string, text: string): readonly [HeaderBlock, Buffer] {
  const block = new HeaderBlock([
    HEADER_NAMES.field(':status', status),
    HEADER_NAMES.field('content-type', 'text/plain; charset=utf-8'),
  ]);
  return [block, Buffer.from(text)];
}
