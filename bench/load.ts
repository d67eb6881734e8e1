/**
 * The second load driver, a program of its own: keys, methods and deadlines change with every request of a connection,
 * which h2load cannot do. It reads its job (`LoadJob`, JSON) from argv and prints a `LoadReport`; or, started with an IPC channel
 * and without arguments, does the jobs that it is sent, one after the other, so that its own code is warm.
 */
import { connect, type Socket } from 'node:net';
import {
  Flag,
  FRAME_HEADER,
  FrameSplitter,
  FrameType,
  OutputBuffer,
  PREFACE,
  Setting,
  settingsFrame,
  unpadded,
  windowUpdate,
  writeFrameHeader,
} from './frames.ts';
import { HpackWriter, type RequestField } from './hpack-writer.ts';

export interface LoadJob {
  readonly port: number;
  readonly connections: number;
  /** Concurrent requests of each connection. */
  readonly streams: number;
  /** Of all connections together. */
  readonly requests: number;
  readonly keys: readonly string[];
  readonly paths: readonly string[];
  /** Base64 of the gRPC message, at most 16,384 octets. */
  readonly message: string;
  /** Requests a second of all connections, sent whether or not others were answered; absent: as many as `streams` allows. */
  readonly rate?: number;
}

export interface LoadReport {
  /** Answered with the message that was sent, then trailers. */
  readonly ok: number;
  readonly failed: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Around the path: pseudo-header fields come first (RFC 9113 section 8.3). */
const PSEUDO: readonly RequestField[] = [
  { name: ':method', value: 'POST', indexed: true },
  { name: ':scheme', value: 'http', indexed: true },
  { name: ':authority', value: 'bench.local', indexed: true },
];
const FIXED: readonly RequestField[] = [
  { name: 'content-type', value: 'application/grpc', indexed: true },
  { name: 'user-agent', value: 'tollgate-bench/1', indexed: true },
  { name: 'te', value: 'trailers', indexed: true },
];
/** Above any header block of the fixed fields, a path, a key and a deadline. */
const MAX_BLOCK = 1024;
const WINDOW = 64 * 1024 * 1024;

interface Work {
  readonly job: LoadJob;
  readonly message: Buffer;
  readonly paths: readonly RequestField[];
  readonly keys: readonly RequestField[];
  readonly latencies: Float64Array;
  started: number;
  ok: number;
  failed: number;
}

interface Sent {
  readonly at: number;
  echoed: number;
}

class Driver {
  readonly #work: Work;
  readonly #socket: Socket;
  readonly #splitter = new FrameSplitter();
  readonly #hpack = new HpackWriter();
  readonly #out = new OutputBuffer();
  readonly #sent = new Map<number, Sent>();
  #nextId = 1;
  #received = 0;

  constructor(work: Work, onEnd: () => void) {
    this.#work = work;
    this.#socket = connect({ port: work.job.port, host: '127.0.0.1', noDelay: true });
    this.#out.append(PREFACE);
    this.#out.append(
      settingsFrame([
        [Setting.ENABLE_PUSH, 0],
        [Setting.INITIAL_WINDOW_SIZE, WINDOW],
      ]),
    );
    this.#out.append(windowUpdate(0, WINDOW));
    if (work.job.rate === undefined) for (let i = 0; i < work.job.streams; i += 1) this.#request();
    this.#flush();
    this.#socket.on('data', (chunk) => {
      this.#splitter.push(chunk, this.#onFrame);
      this.#flush();
    });
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      work.failed += this.#sent.size;
      this.#sent.clear();
      onEnd();
    });
  }

  /** Sends one more. */
  send(): void {
    this.#request();
    this.#flush();
  }

  /** No more is to be sent. */
  end(): void {
    this.#flush();
  }

  #flush(): void {
    const octets = this.#out.take();
    if (octets !== undefined) this.#socket.write(octets);
    const { rate, requests } = this.#work.job;
    if (this.#sent.size === 0 && (rate === undefined || this.#work.started >= requests)) this.#socket.end();
  }

  #request(): void {
    const { job, message, paths, keys, started } = this.#work;
    if (started >= job.requests) return;
    this.#work.started += 1;
    const id = this.#nextId;
    this.#nextId += 2;
    const fields = [
      ...PSEUDO,
      paths[(started * 7) % paths.length]!,
      ...FIXED,
      keys[(started * 17) % keys.length]!,
      { name: 'grpc-timeout', value: `${20_000_000 + ((started * 7919) % 9_999_999)}u`, indexed: false },
    ];
    const { buffer, offset } = this.#out.reserve(FRAME_HEADER + MAX_BLOCK);
    const end = this.#hpack.write(fields, buffer, offset + FRAME_HEADER);
    const length = end - offset - FRAME_HEADER;
    writeFrameHeader(buffer, offset, length, FrameType.HEADERS, Flag.END_HEADERS, id);
    this.#out.giveBack(MAX_BLOCK - length);
    this.#out.frame(FrameType.DATA, Flag.END_STREAM, id, message);
    this.#sent.set(id, { at: performance.now(), echoed: 0 });
  }

  readonly #onFrame = (type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void => {
    if (type === FrameType.DATA) this.#onData(flags, id, buffer, start, end);
    else if (type === FrameType.HEADERS && (flags & Flag.END_STREAM) !== 0) this.#finish(id);
    else if (type === FrameType.RST_STREAM) this.#finish(id);
    else if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0) {
      this.#out.frame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(0));
    } else if (type === FrameType.PING && (flags & Flag.ACK) === 0) {
      this.#out.frame(FrameType.PING, Flag.ACK, 0, buffer.subarray(start, end));
    }
  };

  #onData(flags: number, id: number, buffer: Buffer, frameStart: number, frameEnd: number): void {
    this.#received += frameEnd - frameStart;
    if (this.#received > WINDOW / 4) {
      this.#out.append(windowUpdate(0, this.#received));
      this.#received = 0;
    }
    const sent = this.#sent.get(id);
    if (sent === undefined) return;
    const [start, end] = unpadded(flags, buffer, frameStart, frameEnd);
    const { message } = this.#work;
    const right = message.compare(buffer, start, end, sent.echoed, Math.min(sent.echoed + end - start, message.length));
    sent.echoed = right === 0 ? sent.echoed + end - start : Number.NaN;
    if ((flags & Flag.END_STREAM) !== 0) {
      // An answer without trailers is not one of gRPC.
      sent.echoed = Number.NaN;
      this.#finish(id);
    }
  }

  #finish(id: number): void {
    const sent = this.#sent.get(id);
    if (sent === undefined) return;
    this.#sent.delete(id);
    const work = this.#work;
    work.latencies[work.ok + work.failed] = performance.now() - sent.at;
    if (sent.echoed === work.message.length) work.ok += 1;
    else work.failed += 1;
    if (work.job.rate === undefined) this.#request();
  }
}

function run(job: LoadJob, report: (report: LoadReport) => void): void {
  const work: Work = {
    job,
    message: Buffer.from(job.message, 'base64'),
    paths: job.paths.map((value) => ({ name: ':path', value, indexed: true })),
    keys: job.keys.map((key) => ({ name: 'authorization', value: `Bearer ${key}`, indexed: true })),
    latencies: new Float64Array(job.requests + job.connections * job.streams),
    started: 0,
    ok: 0,
    failed: 0,
  };
  const startedAt = performance.now();
  let open = job.connections;
  const onEnd = () => {
    open -= 1;
    if (open > 0) return;
    const seconds = (performance.now() - startedAt) / 1000;
    const latencies = work.latencies.subarray(0, work.ok + work.failed).sort();
    const percentile = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
    report({ ok: work.ok, failed: job.requests - work.ok, seconds, p50Ms: percentile(0.5), p99Ms: percentile(0.99) });
  };
  const drivers = Array.from({ length: job.connections }, () => new Driver(work, onEnd));
  if (job.rate !== undefined) pace(work, job.rate, drivers);
}

/** Each millisecond, what is due. */
function pace(work: Work, rate: number, drivers: readonly Driver[]): void {
  const startedAt = performance.now();
  const timer = setInterval(() => {
    const due = Math.min(work.job.requests, Math.floor(((performance.now() - startedAt) * rate) / 1000));
    while (work.started < due) drivers[work.started % drivers.length]!.send();
    if (due < work.job.requests) return;
    clearInterval(timer);
    for (const driver of drivers) driver.end();
  }, 1);
}

if (import.meta.main && process.argv[2] === undefined) {
  process.on('message', (job: LoadJob) => run(job, (report) => process.send?.(report)));
  process.on('disconnect', () => process.exit(0));
} else if (import.meta.main) {
  run(JSON.parse(process.argv[2] ?? '{}') as LoadJob, (report) => process.stdout.write(`${JSON.stringify(report)}\n`));
}
