import type { Deadline } from '../chain/deadlines.ts';
import type { Stream, StreamHandler } from '../http2/index.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import type { ListenerView } from './listener-view.ts';

/** What of an exchange's parts is needed here. */
type NotGrpcParts = Pick<ExchangeParts, 'now' | 'deadlines' | 'answers'>;

/** How long, and for how many octets, a request that is not gRPC may go on before it is answered all the same. */
const PATIENCE_MS = 2_000;
const PATIENCE_OCTETS = 65_536;

/**
 * Answers a request that is not gRPC when it has ended. RFC 9113 section 8.1 lets a server answer earlier, but then it has to
 * reset the stream behind the answer, and many clients that are not gRPC's report the reset and lose the answer.
 * @returns the handler of what follows on the stream
 */
export function answerNotGrpc(
  parts: NotGrpcParts,
  listener: ListenerView,
  stream: Stream,
  endStream: boolean,
): StreamHandler {
  if (!endStream) return new LateAnswer(parts, listener, stream);
  parts.answers.notGrpc(stream, listener.uniformErrors);
  return IGNORE;
}

export const IGNORE: StreamHandler = {
  onHeaders() {},
  onData(stream, _buffer, start, end) {
    stream.consume(end - start);
  },
  onTrailers() {},
  onSent() {},
  onReset() {},
};

/** Throws away what a request has, up to its end or to the end of our patience. */
class LateAnswer implements StreamHandler, Deadline {
  deadlineAt: number;
  deadlineNext: Deadline | undefined = undefined;
  deadlinePrevious: Deadline | undefined = undefined;
  deadlineSlot = -1;
  readonly #parts: NotGrpcParts;
  readonly #listener: ListenerView;
  readonly #stream: Stream;
  #octets = 0;

  constructor(parts: NotGrpcParts, listener: ListenerView, stream: Stream) {
    this.#parts = parts;
    this.#listener = listener;
    this.#stream = stream;
    this.deadlineAt = parts.now() + PATIENCE_MS;
    parts.deadlines.add(this);
  }

  onHeaders(): void {}

  onData(stream: Stream, _buffer: Buffer, start: number, end: number, endStream: boolean): void {
    stream.consume(end - start);
    this.#octets += end - start;
    if (endStream || this.#octets > PATIENCE_OCTETS) this.#answer();
  }

  onTrailers(): void {
    this.#answer();
  }

  onSent(): void {}

  onReset(): void {
    this.#parts.deadlines.remove(this);
  }

  onDeadline(): void {
    this.#answer();
  }

  #answer(): void {
    this.#parts.deadlines.remove(this);
    this.#stream.handler = IGNORE;
    this.#parts.answers.notGrpc(this.#stream, this.#listener.uniformErrors);
  }
}
