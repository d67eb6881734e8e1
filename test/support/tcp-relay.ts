import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP relay between somebody and a server: the network that tests can cut. */
export class TcpRelay {
  readonly #target: () => number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #isFrozen = false;

  private constructor(target: () => number) {
    this.#target = target;
    this.#server = createServer((client) => this.#relay(client));
  }

  /** @param target tells the server's port on 127.0.0.1, asked for each connection */
  static async start(target: () => number): Promise<TcpRelay> {
    const relay = new TcpRelay(target);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the relay does not listen');
    return address.port;
  }

  /** Connections end, as by a server that is gone, and new ones do at once, until `mend`. */
  cut(): void {
    this.#isCut = true;
    this.breakConnections();
  }

  /** Nothing comes through any more, and nobody is told: as by a cable that is pulled, until `mend`. */
  freeze(): void {
    this.#isFrozen = true;
    for (const socket of this.#sockets) socket.pause();
  }

  mend(): void {
    this.#isCut = false;
    this.#isFrozen = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Those there are end; new ones are relayed. */
  breakConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #relay(client: Socket): void {
    if (this.#isCut) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: this.#target(), host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    this.#join(client, server);
    this.#join(server, client);
  }

  /** Octets are few and both ends are near: nothing is held back for a slow reader. */
  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    if (this.#isFrozen) from.pause();
    from.on('data', (chunk: Buffer) => void to.write(chunk));
    if (this.#isFrozen) from.pause();
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
