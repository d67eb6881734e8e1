import type { EventEmitter } from 'node:events';
import {
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { EVERYTHING_METHODS, type EverythingMethod, everythingPath } from './everything-methods.ts';
import { Watch } from './watch.ts';

// A grpc-js backend that does what the request's metadata says, and remembers what it saw. Messages are raw bytes.

/** Goes as JSON in the request metadata `x-script`. Without one: echo, and OK. */
export interface Script {
  /** Response messages of a streaming answer. Default: one for each request message. */
  readonly messages?: number;
  /** Size of each response message. Default: that of the first request message, which is echoed. */
  readonly size?: number;
  /** gRPC status and text at the end. */
  readonly code?: number;
  readonly details?: string;
  /** Metadata before and after the messages; values of `-bin` names are base64. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly trailers?: Readonly<Record<string, string>>;
  /** Hang there until the call is cancelled. */
  readonly hang?: 'before-headers' | 'after-headers' | 'after-messages';
  /** Answer at the first request message; do not wait for the half-close. */
  readonly early?: boolean;
}

/** What the backend saw of one call. */
export interface SeenCall {
  readonly method: EverythingMethod;
  /** As on the wire: values of `-bin` names are base64. */
  readonly metadata: Readonly<Record<string, string | string[]>>;
  messages: number;
  bytes: number;
  halfClosed: boolean;
  cancelled: boolean;
}

type Bytes = Buffer;
/** What the four kinds of server calls have in common. */
interface AnyCall extends EventEmitter {
  readonly metadata: Metadata;
  sendMetadata(metadata: Metadata): void;
}

export class EverythingBackend {
  readonly calls: SeenCall[] = [];
  /** Changes with every message, half-close and cancellation. */
  readonly watch = new Watch();
  readonly #server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  #port = 0;

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Calls that arrived, of one method or of all. */
  count(method?: EverythingMethod): number {
    return method === undefined ? this.calls.length : this.calls.filter((call) => call.method === method).length;
  }

  /** The last call that arrived. @throws when none did */
  get last(): SeenCall {
    const call = this.calls.at(-1);
    if (!call) throw new Error('no call reached the backend');
    return call;
  }

  /** @param port a fixed one, for a backend that comes back; else a free one */
  async start(credentials: ServerCredentials = ServerCredentials.createInsecure(), port = 0): Promise<this> {
    const handlers = {
      unary: (method: EverythingMethod) => (call: ServerUnaryCall<Bytes, Bytes>, done: sendUnaryData<Bytes>) =>
        this.#unary(method, call, done),
      client_stream:
        (method: EverythingMethod) => (call: ServerReadableStream<Bytes, Bytes>, done: sendUnaryData<Bytes>) =>
          this.#clientStream(method, call, done),
      server_stream: (method: EverythingMethod) => (call: ServerWritableStream<Bytes, Bytes>) =>
        this.#serverStream(method, call),
      bidi_stream: (method: EverythingMethod) => (call: ServerDuplexStream<Bytes, Bytes>) =>
        this.#bidiStream(method, call),
    };
    const definition: Record<string, MethodDefinition<Bytes, Bytes>> = {};
    const implementation: Record<string, ReturnType<(typeof handlers)[keyof typeof handlers]>> = {};
    for (const method of Object.keys(EVERYTHING_METHODS) as EverythingMethod[]) {
      definition[method] = methodDefinition(method);
      implementation[method] = handlers[EVERYTHING_METHODS[method]](method);
    }
    this.#server.addService(definition, implementation);
    this.#port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return this;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #unary(method: EverythingMethod, call: ServerUnaryCall<Bytes, Bytes>, done: sendUnaryData<Bytes>): void {
    const { seen, script } = this.#begin(method, call);
    this.#saw(seen, call.request);
    seen.halfClosed = true;
    this.watch.changed();
    answerOnce(call, script, call.request, done);
  }

  #clientStream(method: EverythingMethod, call: ServerReadableStream<Bytes, Bytes>, done: sendUnaryData<Bytes>): void {
    const { seen, script } = this.#begin(method, call);
    let first: Bytes | undefined;
    call.on('data', (message: Bytes) => {
      this.#saw(seen, message);
      if (first === undefined && script.early) answerOnce(call, script, message, done);
      first ??= message;
    });
    call.on('end', () => {
      seen.halfClosed = true;
      this.watch.changed();
      if (!script.early) answerOnce(call, script, first ?? Buffer.alloc(0), done);
    });
  }

  #serverStream(method: EverythingMethod, call: ServerWritableStream<Bytes, Bytes>): void {
    const { seen, script } = this.#begin(method, call);
    this.#saw(seen, call.request);
    seen.halfClosed = true;
    this.watch.changed();
    answerMany(call, script, call.request, script.messages ?? 1);
  }

  #bidiStream(method: EverythingMethod, call: ServerDuplexStream<Bytes, Bytes>): void {
    const { seen, script } = this.#begin(method, call);
    let first: Bytes | undefined;
    const echo = script.messages === undefined && !script.early && script.hang === undefined;
    if (echo) sendHeaders(call, script);
    call.on('data', (message: Bytes) => {
      this.#saw(seen, message);
      if (first === undefined && script.early) answerMany(call, script, message, script.messages ?? 1);
      first ??= message;
      if (echo && !call.write(message)) {
        call.pause();
        call.once('drain', () => call.resume());
      }
    });
    if (script.hang !== undefined) answerMany(call, script, Buffer.alloc(0), script.messages ?? 0);
    call.on('end', () => {
      seen.halfClosed = true;
      this.watch.changed();
      if (script.hang !== undefined) return;
      if (echo) finish(call, script);
      else if (!script.early) answerMany(call, script, first ?? Buffer.alloc(0), script.messages ?? 0);
    });
  }

  #begin(method: EverythingMethod, call: AnyCall): { seen: SeenCall; script: Script } {
    const metadata = call.metadata.toHttp2Headers() as SeenCall['metadata'];
    const seen = { method, metadata, messages: 0, bytes: 0, halfClosed: false, cancelled: false };
    this.calls.push(seen);
    call.on('cancelled', () => {
      seen.cancelled = true;
      this.watch.changed();
    });
    call.on('error', () => {});
    this.watch.changed();
    const text = call.metadata.get('x-script')[0];
    return { seen, script: text === undefined ? {} : (JSON.parse(text.toString()) as Script) };
  }

  #saw(seen: SeenCall, message: Bytes): void {
    seen.messages++;
    seen.bytes += message.length;
    this.watch.changed();
  }
}

/** Raw bytes in both directions. */
export function methodDefinition(method: EverythingMethod): MethodDefinition<Bytes, Bytes> {
  const kind = EVERYTHING_METHODS[method];
  const same = (bytes: Bytes): Bytes => bytes;
  return {
    path: everythingPath(method),
    requestStream: kind === 'client_stream' || kind === 'bidi_stream',
    responseStream: kind === 'server_stream' || kind === 'bidi_stream',
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function answerOnce(call: AnyCall, script: Script, request: Bytes, done: sendUnaryData<Bytes>): void {
  if (script.hang === 'before-headers') return;
  sendHeaders(call, script);
  if (script.hang !== undefined) return;
  const trailers = metadataOf(script.trailers);
  if (script.code) done({ code: script.code, details: script.details ?? '', metadata: trailers });
  else done(null, responseBytes(script, request), trailers);
}

function answerMany(
  call: ServerWritableStream<Bytes, Bytes> | ServerDuplexStream<Bytes, Bytes>,
  script: Script,
  request: Bytes,
  messages: number,
): void {
  if (script.hang === 'before-headers') return;
  sendHeaders(call, script);
  if (script.hang === 'after-headers') return;
  const message = responseBytes(script, request);
  let left = messages;
  const write = (): void => {
    while (left > 0) {
      left--;
      if (!call.write(message) && left > 0) {
        call.once('drain', write);
        return;
      }
    }
    if (script.hang === undefined) finish(call, script);
  };
  write();
}

function sendHeaders(call: AnyCall, script: Script): void {
  // Without metadata of its own a failing call is answered by trailers only.
  if (script.headers || script.hang === 'after-headers') call.sendMetadata(metadataOf(script.headers));
}

function finish(call: ServerWritableStream<Bytes, Bytes> | ServerDuplexStream<Bytes, Bytes>, script: Script): void {
  const metadata = metadataOf(script.trailers);
  if (script.code) call.emit('error', { code: script.code, details: script.details ?? '', metadata });
  else call.end(metadata);
}

function responseBytes(script: Script, request: Bytes): Bytes {
  return script.size === undefined ? request : Buffer.alloc(script.size, 'r');
}

function metadataOf(entries: Readonly<Record<string, string>> | undefined): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(entries ?? {})) {
    metadata.add(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  }
  return metadata;
}
