import type { Call, Refusal } from '../chain/call.ts';
import { credentialInvalid, gatewayDraining } from '../chain/refusal.ts';
import type { HeaderBlock, Stream, StreamHandler } from '../http2/index.ts';
import type { Snapshot } from '../sync/snapshot.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import type { ListenerView } from './listener-view.ts';
import { answerNotGrpc } from './not-grpc.ts';
import { answerPlain } from './plain-answer.ts';
import { type RequestHead, readRequestHead } from './request-head.ts';

/** Takes each request from a listener to its exchange. */
export class RequestRouter {
  readonly #parts: ExchangeParts;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  /** @returns the handler of what follows on the client's stream */
  accept(
    listener: ListenerView,
    snapshot: Snapshot,
    stream: Stream,
    block: HeaderBlock,
    endStream: boolean,
  ): StreamHandler {
    const head = readRequestHead(block, listener.methodsOf(snapshot));
    if (!head.isGrpc) {
      const page = head.isGet && endStream ? this.#page(listener, head, stream, block) : undefined;
      return page ?? answerNotGrpc(this.#parts, listener, stream, endStream);
    }
    const exchange = new Exchange(this.#parts, listener, snapshot, head, stream, endStream);
    // The chain may answer at once, and the answer's end belongs to the exchange already.
    stream.handler = exchange;
    exchange.begin();
    return exchange;
  }

  /** Answers a request whose headers are too long to be read: the credential, if it has one, is none. */
  refuseTooLarge(listener: ListenerView, stream: Stream): void {
    const { answers, requestIds } = this.#parts;
    answers.tooLarge(stream, listener.uniformErrors ? answers.uniform : credentialInvalid(), requestIds.next().text);
  }

  /** Plain HTTP. @returns undefined when there is no such page */
  #page(listener: ListenerView, head: RequestHead, stream: Stream, block: HeaderBlock): StreamHandler | undefined {
    const answer = this.#parts.page(listener, {
      method: 'GET',
      path: head.path?.value ?? '',
      credential: head.credential.text,
      accept: block.get('accept') ?? '',
      remoteAddress: stream.connection?.remoteAddress ?? '',
    });
    return answer && answerPlain(stream, answer);
  }

  /** Ends a request that still runs if `judge` refuses its call. */
  recheck(stream: Stream, judge: (call: Call) => Refusal | undefined): void {
    if (!(stream.handler instanceof Exchange)) return;
    const refusal = judge(stream.handler);
    if (refusal !== undefined) stream.handler.cutOff(refusal);
  }

  /** Ends a request that still runs when the gateway can wait no longer: its caller is told, and may ask another. */
  cutOff(stream: Stream): void {
    if (stream.handler instanceof Exchange) stream.handler.cutOff(gatewayDraining());
  }
}
