import type { CallKind } from '../contracts/method-entry.ts';
import { MESSAGE_PREFIX } from '../grpc/message-prefix.ts';

/** Finds messages in the DATA of one direction by their prefixes, however frames cut them. Nothing is copied. */
export class MessageCount {
  messages = 0;
  /** Octets to come of the message whose prefix was last read. */
  #left = 0;
  /** Octets of the next prefix that are here already, and the length that they tell so far. */
  #seen = 0;
  #length = 0;

  add(buffer: Buffer, start: number, end: number): void {
    let at = start;
    if (this.#left > 0) {
      const here = Math.min(this.#left, end - at);
      this.#left -= here;
      at += here;
    }
    while (at < end) {
      if (this.#seen > 0 || end - at < MESSAGE_PREFIX) at = this.#addOctet(buffer[at]!, at);
      else {
        this.#begin(buffer.readUInt32BE(at + 1));
        at += MESSAGE_PREFIX;
      }
      const here = Math.min(this.#left, end - at);
      this.#left -= here;
      at += here;
    }
  }

  #addOctet(octet: number, at: number): number {
    if (this.#seen > 0) this.#length = ((this.#length << 8) | octet) >>> 0;
    if (++this.#seen === MESSAGE_PREFIX) {
      this.#seen = 0;
      this.#begin(this.#length);
      this.#length = 0;
    }
    return at + 1;
  }

  #begin(length: number): void {
    this.messages++;
    this.#left = length;
  }
}

/** What a call has sent both ways. Where a direction has one message by the method's contract, nothing is looked for. */
export class Traffic {
  requestOctets = 0;
  responseOctets = 0;
  readonly #requests: MessageCount | undefined;
  readonly #responses: MessageCount | undefined;

  constructor(kind: CallKind | undefined) {
    this.#requests = kind === 'client_stream' || kind === 'bidi_stream' ? new MessageCount() : undefined;
    this.#responses = kind === 'server_stream' || kind === 'bidi_stream' ? new MessageCount() : undefined;
  }

  get requestMessages(): number {
    return this.#requests?.messages ?? (this.requestOctets > 0 ? 1 : 0);
  }

  get responseMessages(): number {
    return this.#responses?.messages ?? (this.responseOctets > 0 ? 1 : 0);
  }

  /** DATA came from the client. */
  addRequest(buffer: Buffer, start: number, end: number): void {
    this.requestOctets += end - start;
    this.#requests?.add(buffer, start, end);
  }

  /** DATA came from the backend. */
  addResponse(buffer: Buffer, start: number, end: number): void {
    this.responseOctets += end - start;
    this.#responses?.add(buffer, start, end);
  }
}
