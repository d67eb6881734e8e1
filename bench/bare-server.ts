/**
 * What an idle connection costs at least that has a socket of Node: a server that greets, and knows nothing of its connections.
 * A program of its own; its port is the first argument.
 */
import { createServer } from 'node:net';

/** An empty SETTINGS frame. */
const GREETING = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.resume();
  socket.write(GREETING);
}).listen(Number(process.argv[2]), '127.0.0.1');
