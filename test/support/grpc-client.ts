import type { EventEmitter } from 'node:events';
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientWritableStream,
  credentials,
  Metadata,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import type { Script } from './everything-backend.ts';
import { methodDefinition } from './everything-backend.ts';
import { EVERYTHING_METHODS, type EverythingMethod } from './everything-methods.ts';

/** Everything a caller can tell of a call, in a form that `toEqual` compares. */
export interface Observation {
  readonly code: number;
  readonly details: string;
  /** As on the wire: values of `-bin` names are base64. */
  readonly headers: WireMetadata;
  readonly trailers: WireMetadata;
  readonly messages: readonly Buffer[];
}
export type WireMetadata = Readonly<Record<string, string | string[]>>;

/** What the four kinds of client calls have in common; the streaming ones also write. */
export interface ClientCall extends EventEmitter {
  cancel(): void;
  write?(message: Buffer): boolean;
  end?(): void;
}

export interface CallOptions {
  readonly script?: Script;
  /** Values of `-bin` names are base64; several values of one name as an array. */
  readonly metadata?: WireMetadata;
  /** Request messages. Default: one of a few bytes. */
  readonly messages?: readonly Buffer[];
  /** Milliseconds from now. */
  readonly timeoutMs?: number;
  /** Do not half-close after the messages. */
  readonly keepOpen?: boolean;
  /** Another path than the method's. */
  readonly path?: string;
  /** The call as soon as it exists: to cancel it, to write more. */
  readonly onCall?: (call: ClientCall) => void;
  readonly onHeaders?: (call: ClientCall) => void;
  readonly onMessage?: (call: ClientCall, count: number) => void;
}

const HELLO = Buffer.from('hello');

/** Calls the everything service with raw bytes, in the shape of each call kind of grpc-js. */
export class GrpcClient {
  readonly #client: Client;
  readonly #key: string | undefined;

  /** @param key sent as `authorization: Bearer` with every call */
  constructor(
    address: string,
    key?: string,
    channel: ChannelCredentials = credentials.createInsecure(),
    options: Partial<ClientOptions> = {},
  ) {
    this.#key = key;
    this.#client = new Client(address, channel, {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // A channel of its own for each client: tests do not share connections.
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    });
  }

  close(): void {
    this.#client.close();
  }

  /** Makes the call and resolves when it is over, however it ended; it never rejects. */
  call(method: EverythingMethod, options: CallOptions = {}): Promise<Observation> {
    return new Promise((resolve) => {
      const seen = { headers: {} as WireMetadata, messages: [] as Buffer[] };
      const call = this.#start(method, options, (message) => seen.messages.push(message));
      call.on('metadata', (metadata: Metadata) => {
        seen.headers = wire(metadata);
        options.onHeaders?.(call);
      });
      if (EVERYTHING_METHODS[method] === 'server_stream' || EVERYTHING_METHODS[method] === 'bidi_stream') {
        call.on('data', (message: Buffer) => {
          seen.messages.push(message);
          options.onMessage?.(call, seen.messages.length);
        });
        call.on('error', () => {});
      }
      call.on('status', (status: StatusObject) => {
        // The callback with the message of a unary answer comes right after the status.
        setImmediate(() =>
          resolve({ code: status.code, details: status.details, trailers: wire(status.metadata), ...seen }),
        );
      });
      options.onCall?.(call);
    });
  }

  #start(method: EverythingMethod, options: CallOptions, onResponse: (message: Buffer) => void): ClientCall {
    const { requestSerialize, responseDeserialize, path: own } = methodDefinition(method);
    const path = options.path ?? own;
    const metadata = this.#metadata(options);
    const callOptions = options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
    const messages = options.messages ?? [HELLO];
    const done = (_error: ServiceError | null, message?: Buffer): void => {
      if (message !== undefined) onResponse(message);
    };
    const client = this.#client;
    const first = messages[0] ?? Buffer.alloc(0);
    switch (EVERYTHING_METHODS[method]) {
      case 'unary':
        return client.makeUnaryRequest(path, requestSerialize, responseDeserialize, first, metadata, callOptions, done);
      case 'server_stream':
        return client.makeServerStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          first,
          metadata,
          callOptions,
        );
      case 'client_stream':
        return send(
          client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, metadata, callOptions, done),
          messages,
          options.keepOpen,
        );
      case 'bidi_stream':
        return send(
          client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, callOptions),
          messages,
          options.keepOpen,
        );
    }
  }

  #metadata(options: CallOptions): Metadata {
    const metadata = new Metadata();
    if (this.#key !== undefined) metadata.set('authorization', `Bearer ${this.#key}`);
    if (options.script) metadata.set('x-script', ascii(JSON.stringify(options.script)));
    for (const [name, values] of Object.entries(options.metadata ?? {})) {
      for (const value of [values].flat()) {
        metadata.add(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
      }
    }
    return metadata;
  }
}

function send<Call extends ClientWritableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>>(
  call: Call,
  messages: readonly Buffer[],
  keepOpen: boolean | undefined,
): Call {
  for (const message of messages) call.write(message);
  if (!keepOpen) call.end();
  return call;
}

function wire(metadata: Metadata): WireMetadata {
  return metadata.toHttp2Headers() as WireMetadata;
}

/** JSON with escapes for what metadata cannot carry. */
function ascii(json: string): string {
  return json.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
