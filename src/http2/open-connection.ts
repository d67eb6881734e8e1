import type { ConnectionInfo } from './stream.ts';

/** How many streams a connection has had, or several together. A stream has succeeded when the answer came to its end. */
export interface StreamCounts {
  readonly started: number;
  readonly succeeded: number;
  /** Those that still run. */
  readonly open: number;
}

/** A connection as those see it who look for a fault. */
export interface OpenConnection {
  readonly info: ConnectionInfo;
  readonly counts: StreamCounts;
  readonly localAddress: string;
  readonly localPort: number;
  /** Octets that the peer lets us send, and that we let it send. */
  readonly windowToSend: number;
  readonly windowToReceive: number;
}

/** Streams of connections that are gone, and of those that are there. */
export class StreamTotals {
  #started = 0;
  #succeeded = 0;

  /** The connection is gone. */
  add({ started, succeeded }: StreamCounts): void {
    this.#started += started;
    this.#succeeded += succeeded;
  }

  with(connections: Iterable<OpenConnection>): StreamCounts {
    let [started, succeeded, open] = [this.#started, this.#succeeded, 0];
    for (const { counts } of connections) {
      started += counts.started;
      succeeded += counts.succeeded;
      open += counts.open;
    }
    return { started, succeeded, open };
  }
}
