import type { EngineStream } from './engine-stream.ts';

/** A queue of streams linked through the streams themselves: one can leave from the middle at no cost. In one list at a time. */
export class StreamList {
  first: EngineStream | undefined = undefined;
  size = 0;
  #last: EngineStream | undefined = undefined;

  push(stream: EngineStream): void {
    stream.list = this;
    stream.previous = this.#last;
    stream.next = undefined;
    if (this.#last === undefined) this.first = stream;
    else this.#last.next = stream;
    this.#last = stream;
    this.size++;
  }

  /** `stream` must be in this list. */
  remove(stream: EngineStream): void {
    if (stream.previous === undefined) this.first = stream.next;
    else stream.previous.next = stream.next;
    if (stream.next === undefined) this.#last = stream.previous;
    else stream.next.previous = stream.previous;
    stream.list = stream.previous = stream.next = undefined;
    this.size--;
  }
}
