/**
 * A server that does nothing, in a process of its own: what this machine makes of the same octets without a gateway. Its
 * argument: `echo` sends back what comes, `sink` throws it away. Tells its port to the parent.
 */
import { createServer, type Socket } from 'node:net';

const serve: Record<string, (socket: Socket) => void> = {
  echo: (socket) => socket.pipe(socket),
  sink: (socket) => socket.resume(),
};

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  serve[process.argv[2] ?? '']?.(socket);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
process.on('disconnect', () => process.exit(0));
