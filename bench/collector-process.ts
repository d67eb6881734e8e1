import { createServer } from 'node:http';

// A collector of OTLP/HTTP that takes everything and keeps nothing; with `frozen` it never answers, as one that is stopped.
// node bench/collector-process.ts PORT [frozen]

const [port, mode] = process.argv.slice(2);
createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    if (mode !== 'frozen') response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
}).listen(Number(port), '127.0.0.1');
