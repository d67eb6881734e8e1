import {
  Field,
  HeaderBlock,
  Listener,
  type ListenerOptions,
  type NameTable,
  type StreamHandler,
} from '../../src/http2/index.ts';

const RESPONSE = new HeaderBlock([new Field(':status', '200'), new Field('content-type', 'application/grpc')]);
const TRAILERS = new HeaderBlock([new Field('grpc-status', '0')]);

const ECHO: StreamHandler = {
  onHeaders: () => {},
  onData: (stream, buffer, start, end, endStream) => {
    const taken = stream.sendData(buffer, start, end, false);
    if (taken > 0) stream.consume(taken);
    if (endStream) stream.sendTrailers(TRAILERS, undefined);
  },
  onTrailers: (stream) => stream.sendTrailers(TRAILERS, undefined),
  onSent: (stream, octets) => stream.consume(octets),
  onReset: () => {},
};

/** Starts a backend that answers 200, the request's DATA, and `grpc-status: 0`. */
export function startEcho(names: NameTable, port = 0, options: Partial<ListenerOptions> = {}): Promise<Listener> {
  return Listener.listen({
    host: '127.0.0.1',
    port,
    names,
    ...options,
    onRequest: (stream, _block, endStream) => {
      stream.sendHeaders(RESPONSE, undefined, false);
      if (endStream) stream.sendTrailers(TRAILERS, undefined);
      return ECHO;
    },
  });
}
