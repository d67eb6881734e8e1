import type { Socket } from 'node:net';
import { type ReaderPlace, readByEvents } from './socket-reading.ts';
import { type Writer, writeAtOnce, writeTogether } from './socket-writing.ts';
import { type Address, TCP_KEEPALIVE_MS, type Wire, type WireUser } from './wire.ts';

/** A socket of Node, with or without TLS. */
export class SocketWire implements Wire {
  readonly #socket: Socket;
  readonly #place: ReaderPlace | undefined;

  /** @param place where the reader of a socket is put that reads by `onread`; without it, events are read */
  constructor(socket: Socket, place?: ReaderPlace) {
    this.#socket = socket;
    this.#place = place;
  }

  remote(): Address {
    return { address: this.#socket.remoteAddress ?? '', port: this.#socket.remotePort ?? 0 };
  }

  local(): Address {
    return { address: this.#socket.localAddress ?? '', port: this.#socket.localPort ?? 0 };
  }

  attach(user: WireUser): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    socket.on('error', ignore); // 'close' follows, and says it all.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => user.onClosed());
    if (this.#place === undefined) readByEvents(socket, user);
    else this.#place.reader = user;
  }

  /** Its events are bound to the first. */
  handOver(): boolean {
    return false;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  write(octets: Buffer, writer: Writer): boolean {
    return writeAtOnce(this.#socket, octets, writer);
  }

  writeAll(parts: readonly Buffer[], writer: Writer): void {
    writeTogether(this.#socket, parts, writer);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function ignore(): void {}
