/**
 * What watchers are sent, without a gateway: a server, in a process of its own, that sends to each who has connected so many octets
 * a second, one after the other. So is known what of a latency is the machine's, which moves the same octets. Tells its port
 * over IPC, and is told how many octets.
 */
import { createServer } from 'node:net';

export interface PourOrder {
  /** To each connection. */
  readonly octetsPerSecond: number;
}

const INTERVAL_MS = 1000;
let octets = Buffer.alloc(0);

const server = createServer({ noDelay: true }, (socket) => {
  const timer = { next: setTimeout(() => pour(), INTERVAL_MS * Math.random()) };
  const pour = () => {
    // Who does not read gets no more, as from the gateway.
    if (socket.writableLength === 0) socket.write(octets);
    timer.next = setTimeout(pour, INTERVAL_MS);
  };
  socket.on('error', () => socket.destroy());
  socket.on('close', () => clearTimeout(timer.next));
  socket.resume();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
process.on('message', ({ octetsPerSecond }: PourOrder) => {
  octets = Buffer.alloc(Math.ceil((octetsPerSecond * INTERVAL_MS) / 1000), 'x');
  process.send?.({});
});
process.on('disconnect', () => process.exit(0));
