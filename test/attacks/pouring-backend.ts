import { data, Flag, FrameCutter, FrameType, frame, headers } from '../support/frames.ts';
import type { Behaviour, RawConnection } from '../support/raw-backend.ts';

const WINDOW = 65_535;
const FULL = Buffer.alloc(16_384);

/** A backend that answers each call with as much as the windows let it send, for ever, and counts. */
export class PouringBackend {
  /** Octets sent by stream, over all connections. */
  readonly sent = new Map<number, number>();
  readonly behaviour: Behaviour = {
    onConnect: (connection) => this.#onConnect(connection),
    onRequest: (connection, stream) => this.#onRequest(connection, stream),
  };
  #initial = WINDOW;
  #connectionLeft = WINDOW;
  readonly #left = new Map<number, number>();

  get total(): number {
    let total = 0;
    for (const octets of this.sent.values()) total += octets;
    return total;
  }

  #onConnect(connection: RawConnection): void {
    const cutter = new FrameCutter(true);
    connection.send(frame(FrameType.SETTINGS, 0, 0));
    connection.socket.on('data', (chunk) => {
      for (const { type, flags, stream, payload } of cutter.push(chunk)) {
        if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0) {
          for (let at = 0; at < payload.length; at += 6) {
            if (payload.readUInt16BE(at) === 4) this.#initial = payload.readUInt32BE(at + 2);
          }
          connection.send(frame(FrameType.SETTINGS, Flag.ACK, 0));
        } else if (type === FrameType.WINDOW_UPDATE) {
          const increment = payload.readUInt32BE(0);
          if (stream === 0) this.#connectionLeft += increment;
          else this.#left.set(stream, (this.#left.get(stream) ?? 0) + increment);
          for (const each of stream === 0 ? this.#left.keys() : [stream]) this.#pour(connection, each);
        }
      }
    });
  }

  #onRequest(connection: RawConnection, stream: number): void {
    connection.send(
      headers(stream, [
        [':status', '200'],
        ['content-type', 'application/grpc'],
      ]),
    );
    this.#left.set(stream, this.#initial);
    this.sent.set(stream, 0);
    this.#pour(connection, stream);
  }

  #pour(connection: RawConnection, stream: number): void {
    for (;;) {
      const left = this.#left.get(stream) ?? 0;
      const octets = Math.min(left, this.#connectionLeft, FULL.length);
      if (octets <= 0) return;
      this.#left.set(stream, left - octets);
      this.#connectionLeft -= octets;
      this.sent.set(stream, (this.sent.get(stream) ?? 0) + octets);
      connection.send(data(stream, FULL.subarray(0, octets)));
    }
  }
}
