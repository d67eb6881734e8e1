import { once } from 'node:events';
import http2 from 'node:http2';
import { Client, Field, HeaderBlock, Listener, NameTable, type Stream } from '../../src/http2/index.ts';
import { nodeServer, Recorder } from './support.ts';

// One conversation, played by our engine or by node:http2 in either role, and what each side saw of it.

type Pairs = readonly (readonly [name: string, value: string])[];

/** One request, its answer, and where it is broken off. */
export interface Exchange {
  readonly headers: Pairs;
  /** Sizes of what is written; none: END_STREAM on the headers. */
  readonly body: readonly number[];
  readonly trailers: Pairs | undefined;
  readonly status: number;
  readonly answerHeaders: Pairs;
  readonly answer: readonly number[];
  readonly answerTrailers: Pairs | undefined;
  /** The server resets the stream with this code: at the request's headers, at its end, or (INTERNAL_ERROR) behind the answer's headers. */
  readonly reset: { readonly at: 'headers' | 'end' | 'answer'; readonly code: number } | undefined;
}

export interface Settings {
  readonly initialWindowSize: number;
  readonly headerTableSize: number;
  readonly maxConcurrentStreams: number;
  /** `paddingStrategy` of node:http2. */
  readonly padding: number;
}

export interface Seen {
  request: Record<string, string> | undefined;
  requestBody: string;
  requestTrailers: Record<string, string>;
  status: string;
  answer: Record<string, string>;
  answerBody: string;
  answerTrailers: Record<string, string>;
  code: number;
}

/** Octets that tell their place, so that loss and order show. */
function octets(size: number, salt: number): Buffer {
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < size; at++) buffer[at] = (at * 31 + salt) & 255;
  return buffer;
}

/** Length and hash: readable where they differ, unlike the octets. */
function digest(chunks: readonly Buffer[]): string {
  const all = Buffer.concat(chunks);
  let hash = 0;
  for (const octet of all) hash = (Math.imul(hash, 33) + octet) | 0;
  return `${all.length}:${hash}`;
}

const INDEX = 'x-index';

/** Fields without pseudo-header fields, joined as RFC 9110 section 5.3 and RFC 9113 section 8.2.3 say. */
function joined(fields: Iterable<readonly [string, string | readonly string[] | undefined]>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of fields) {
    if (name.startsWith(':') || value === undefined) continue;
    const separator = name === 'cookie' ? '; ' : ', ';
    const text = typeof value === 'string' ? value : value.join(separator);
    const before = result[name];
    result[name] = before === undefined ? text : before + separator + text;
  }
  return Object.fromEntries(Object.entries(result).sort());
}
const ofNode = (headers: http2.IncomingHttpHeaders | undefined) =>
  joined(Object.entries(headers ?? {}).map(([name, value]) => [name, value] as const));
const ofBlock = (block: HeaderBlock | undefined) =>
  joined((block?.fields ?? []).map(({ name, value }) => [name, value] as const));

const blockOf = (...parts: readonly Pairs[]) =>
  new HeaderBlock(parts.flatMap((pairs) => pairs.map(([name, value]) => new Field(name, value))));

/** Pairs as node:http2 takes them: several values of a name as a list. */
function nodeHeaders(pairs: Pairs): http2.OutgoingHttpHeaders {
  const result: Record<string, string[]> = {};
  for (const [name, value] of pairs) {
    const values = result[name] ?? [];
    values.push(value);
    result[name] = values;
  }
  return Object.fromEntries(
    Object.entries(result).map(([name, values]) => [name, values.length > 1 ? values : values[0]]),
  );
}

function nothingSeen(): Seen {
  const none = digest([]);
  return {
    request: undefined,
    requestBody: none,
    requestTrailers: {},
    status: '',
    answer: {},
    answerBody: none,
    answerTrailers: {},
    code: -1,
  };
}

export interface Server {
  readonly port: number;
  close(): Promise<unknown>;
}

/** A server of node:http2 that plays its side, and notes what it sees. */
export function nodeSide(exchanges: readonly Exchange[], seen: Seen[], settings: Settings): Promise<Server> {
  const { padding: paddingStrategy, ...others } = settings;
  return nodeServer(
    (stream, headers) => {
      const index = Number(headers[INDEX]);
      const exchange = exchanges[index]!;
      const note = seen[index]!;
      note.request = ofNode(headers);
      if (exchange.reset?.at === 'headers') return stream.close(exchange.reset.code);
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('trailers', (trailers) => {
        note.requestTrailers = ofNode(trailers);
      });
      stream.on('end', () => {
        note.requestBody = digest(chunks);
        answerByNode(stream, exchange);
      });
    },
    { settings: others, paddingStrategy },
  );
}

function answerByNode(stream: http2.ServerHttp2Stream, exchange: Exchange): void {
  const { reset, answer, answerTrailers } = exchange;
  if (reset?.at === 'end') {
    stream.close(reset.code);
    return;
  }
  const endStream = answer.length === 0 && answerTrailers === undefined && reset === undefined;
  const headers = { ':status': exchange.status, ...nodeHeaders(exchange.answerHeaders) };
  stream.respond(headers, { endStream, waitForTrailers: answerTrailers !== undefined, sendDate: false } as object);
  if (reset !== undefined) {
    // `close` would end the answer properly before it resets; and the headers must be out.
    setImmediate(() => stream.destroy(new Error('reset')));
    return;
  }
  stream.on('wantTrailers', () => stream.sendTrailers(nodeHeaders(answerTrailers ?? [])));
  if (endStream) return;
  answer.forEach((size, index) => void stream.write(octets(size, index)));
  stream.end();
}

/** A listener of ours that plays its side. */
export async function ourSide(exchanges: readonly Exchange[], seen: Seen[], settings: Settings): Promise<Server> {
  const listener = await Listener.listen({
    host: '127.0.0.1',
    port: 0,
    names: new NameTable(),
    settings,
    onRequest: (stream, block, endStream) => {
      const index = Number(block.get(INDEX));
      const exchange = exchanges[index]!;
      const note = seen[index]!;
      note.request = ofBlock(block);
      const recorder = new Recorder();
      if (exchange.reset?.at === 'headers') {
        stream.reset(exchange.reset.code);
        return recorder;
      }
      recorder.ended = endStream;
      void recorder
        .until(() => recorder.ended)
        .then(() => {
          note.requestBody = digest(recorder.chunks);
          note.requestTrailers = ofBlock(recorder.trailers);
          answerByUs(stream, exchange);
        });
      return recorder;
    },
  });
  return { port: listener.address.port, close: () => listener.close(0) };
}

function answerByUs(stream: Stream, exchange: Exchange): void {
  const { reset, answer, answerTrailers } = exchange;
  if (reset?.at === 'end') {
    stream.reset(reset.code);
    return;
  }
  const endStream = answer.length === 0 && answerTrailers === undefined && reset === undefined;
  stream.sendHeaders(blockOf([[':status', String(exchange.status)]], exchange.answerHeaders), undefined, endStream);
  if (reset !== undefined) stream.reset(reset.code);
  else send(stream, answer, answerTrailers);
}

function send(stream: Stream, sizes: readonly number[], trailers: Pairs | undefined): void {
  sizes.forEach((size, index) => {
    stream.sendData(octets(size, index), 0, size, trailers === undefined && index === sizes.length - 1);
  });
  if (trailers !== undefined) stream.sendTrailers(blockOf(trailers), undefined);
}

const REQUEST: Pairs = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'test'],
  [':path', '/a'],
];

/** Makes all requests at once over node:http2. */
export async function callByNode(port: number, exchanges: readonly Exchange[], seen: Seen[], settings: Settings) {
  const { padding: paddingStrategy, maxConcurrentStreams: _, ...others } = settings;
  const session = http2.connect(`http://127.0.0.1:${port}`, { settings: others, paddingStrategy });
  session.on('error', () => {});
  // Before that it would open more streams than the server takes.
  await once(session, 'remoteSettings');
  const calls = exchanges.map((exchange, index) => {
    const note = seen[index]!;
    const endStream = exchange.body.length === 0 && exchange.trailers === undefined;
    const headers = nodeHeaders([...REQUEST, [INDEX, String(index)], ...exchange.headers]);
    const stream = session.request(headers, { endStream, waitForTrailers: exchange.trailers !== undefined });
    stream.on('error', () => {});
    stream.on('wantTrailers', () => stream.sendTrailers(nodeHeaders(exchange.trailers ?? [])));
    const chunks: Buffer[] = [];
    stream.on('response', (got) => {
      note.status = String(got[':status']);
      note.answer = ofNode(got);
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('trailers', (got) => {
      note.answerTrailers = ofNode(got);
    });
    exchange.body.forEach((size, part) => void stream.write(octets(size, part)));
    if (!endStream) stream.end();
    return new Promise<void>((resolve) => {
      stream.on('close', () => {
        note.answerBody = digest(chunks);
        note.code = stream.rstCode ?? 0;
        resolve();
      });
    });
  });
  await Promise.all(calls);
  session.destroy();
}

/** Makes all requests at once over our client. */
export async function callByUs(port: number, exchanges: readonly Exchange[], seen: Seen[], settings: Settings) {
  const client = new Client({ names: new NameTable(), target: { host: '127.0.0.1', port }, settings });
  const calls = exchanges.map(async (exchange, index) => {
    const note = seen[index]!;
    const recorder = new Recorder();
    const block = blockOf(REQUEST, [[INDEX, String(index)]], exchange.headers);
    const endStream = exchange.body.length === 0 && exchange.trailers === undefined;
    const stream = client.request(recorder, block, undefined, endStream);
    if (!endStream) send(stream, exchange.body, exchange.trailers);
    await recorder.done;
    note.status = recorder.headers?.get(':status') ?? '';
    note.answer = ofBlock(recorder.headers);
    note.answerBody = digest(recorder.chunks);
    note.answerTrailers = ofBlock(recorder.trailers);
    note.code = recorder.code ?? 0;
  });
  await Promise.all(calls);
  await client.close();
}

/** Plays all exchanges between two sides. @returns what was seen of each */
export async function play(
  side: typeof nodeSide,
  call: typeof callByNode,
  exchanges: readonly Exchange[],
  settings: readonly [server: Settings, client: Settings],
): Promise<Seen[]> {
  const seen = exchanges.map(nothingSeen);
  const server = await side(exchanges, seen, settings[0]);
  try {
    await call(server.port, exchanges, seen, settings[1]);
  } finally {
    await server.close();
  }
  return seen;
}
