import type { Listener, OpenConnection, StreamCounts } from '../../http2/index.ts';
import type { Backend, Endpoint } from '../../routing/backend.ts';

/** What channelz shows. */
export interface ChannelzSource {
  /** Those that listen, by name. */
  listeners(): readonly { readonly name: string; readonly listener: Listener }[];
  backends(): readonly Backend[];
  /** Monotonic milliseconds. */
  now(): number;
}

/** Something with a number. */
export interface Numbered<T> {
  readonly id: number;
  readonly of: T;
}

export interface NamedListener {
  readonly name: string;
  readonly listener: Listener;
}

/**
 * Numbers for what channelz names, unique among all of it: a thing gets one when it is first looked at, and keeps it. Nothing
 * is held for that, and a connection costs nothing until somebody looks.
 */
export class ChannelzRegistry {
  readonly #source: ChannelzSource;
  readonly #numbers = new WeakMap<object, number>();
  /** Listening sockets have numbers beside those of their listeners. */
  readonly #listening = new WeakMap<object, number>();
  #last = 0;

  constructor(source: ChannelzSource) {
    this.#source = source;
  }

  now(): number {
    return this.#source.now();
  }

  /** Listeners: servers. */
  servers(): Numbered<NamedListener>[] {
    return this.#source.listeners().map((each) => ({ id: this.#numberOf(each.listener), of: each }));
  }

  /** Of the socket that a listener listens on. */
  listeningId({ listener }: NamedListener): number {
    return this.#numberOf(listener, this.#listening);
  }

  /** Backends: channels. */
  channels(): Numbered<Backend>[] {
    return inOrder(this.#source.backends().map((backend) => ({ id: this.#numberOf(backend), of: backend })));
  }

  /** Endpoints: subchannels. */
  subchannels({ endpoints }: Backend): Numbered<Endpoint>[] {
    return endpoints.map((endpoint) => ({ id: this.#numberOf(endpoint), of: endpoint }));
  }

  /** Connections: sockets. */
  sockets(of: { readonly openConnections: Iterable<OpenConnection> }): Numbered<OpenConnection>[] {
    return Array.from(of.openConnections, (connection) => ({ id: this.#numberOf(connection), of: connection }));
  }

  /** A connection, wherever it is. */
  findSocket(id: number): OpenConnection | undefined {
    const owners = [
      ...this.#source.listeners().map(({ listener }) => listener),
      ...this.#source.backends().flatMap(({ endpoints }) => endpoints.map(({ client }) => client)),
    ];
    for (const owner of owners) {
      for (const connection of owner.openConnections) if (this.#numbers.get(connection) === id) return connection;
    }
    return undefined;
  }

  #numberOf(of: object, numbers = this.#numbers): number {
    let number = numbers.get(of);
    if (number === undefined) {
      number = ++this.#last;
      numbers.set(of, number);
    }
    return number;
  }
}

function inOrder<T>(all: Numbered<T>[]): Numbered<T>[] {
  return all.sort((a, b) => a.id - b.id);
}

/** All streams of a backend since the start. */
export function countsOf({ endpoints }: Backend): StreamCounts {
  let [started, succeeded, open] = [0, 0, 0];
  for (const { client } of endpoints) {
    const counts = client.streamTotals;
    started += counts.started;
    succeeded += counts.succeeded;
    open += counts.open;
  }
  return { started, succeeded, open };
}
