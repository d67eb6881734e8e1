import { createServer, type Server as HttpServer, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import { CollectedMetrics } from './collected-metrics.ts';
import { record } from './otlp-attributes.ts';
import { ExportMetricsServiceRequest, ExportTraceServiceRequest } from './otlp-codec.ts';
import { Watch } from './watch.ts';

const TRACES = 'opentelemetry.proto.collector.trace.v1.TraceService';
const METRICS = 'opentelemetry.proto.collector.metrics.v1.MetricsService';

type Headers = Readonly<Record<string, unknown>>;

/** A span as a collector gets it. */
export interface CollectedSpan {
  /** Hex. */
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: the span has no parent. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'other';
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly error: boolean;
  /** Nanoseconds since the epoch. */
  readonly start: bigint;
  readonly end: bigint;
  readonly resource: Readonly<Record<string, string | number | boolean>>;
}

/** A collector for traces and metrics over OTLP, as gRPC and as HTTP with protobuf: it decodes with the published protos, and remembers. */
export class OtlpCollector {
  readonly spans: CollectedSpan[] = [];
  readonly metrics = new CollectedMetrics();
  /** Of the last request over HTTP, or the metadata of the last over gRPC. */
  headers: Readonly<Record<string, unknown>> = {};
  readonly watch = new Watch();
  /** Requests get no answer. */
  silent = false;
  /** A collector for traces only. */
  refusesMetrics = false;
  /** Requests that were refused for that. */
  refused = 0;
  readonly #grpc = new Server();
  readonly #http: HttpServer = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (this.silent) return;
      const take = this.#takers.find(({ path }) => request.method === 'POST' && request.url?.endsWith(path))?.take;
      take?.(unpack(Buffer.concat(chunks), request.headers), request.headers);
      response.writeHead(take === undefined ? 404 : 200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  #grpcPort = 0;
  readonly #takers = [
    { path: '/v1/traces', service: TRACES, take: (octets: Buffer, headers: Headers) => this.#take(octets, headers) },
    {
      path: '/v1/metrics',
      service: METRICS,
      take: (octets: Buffer, headers: Headers) => this.#takeMetrics(octets, headers),
    },
  ];

  async start(): Promise<this> {
    for (const { service, take } of this.#takers) this.#serve(service, take);
    this.#grpcPort = await new Promise<number>((resolve, reject) => {
      this.#grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    return this;
  }

  #serve(service: string, take: (octets: Buffer, headers: Headers) => void): void {
    this.#grpc.addService(
      {
        Export: {
          path: `/${service}/Export`,
          requestStream: false,
          responseStream: false,
          requestSerialize: (octets: Buffer) => octets,
          requestDeserialize: (octets: Buffer) => octets,
          responseSerialize: (octets: Buffer) => octets,
          responseDeserialize: (octets: Buffer) => octets,
        },
      },
      {
        Export: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
          if (this.silent) return;
          if (this.refusesMetrics && service === METRICS) {
            this.refused++;
            this.watch.changed();
            return done({ code: status.UNIMPLEMENTED, details: 'traces only' });
          }
          take(call.request, call.metadata.getMap());
          done(null, Buffer.alloc(0));
        },
      },
    );
  }

  get grpcUrl(): string {
    return `http://127.0.0.1:${this.#grpcPort}`;
  }

  get httpUrl(): string {
    const address = this.#http.address();
    if (address === null || typeof address === 'string') throw new Error('the collector does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Those of a call's trace, by its request id; waits until the call's own is there. */
  async trace(requestId: string): Promise<CollectedSpan[]> {
    const own = (): CollectedSpan | undefined =>
      this.spans.find(({ attributes }) => attributes['tollgate.request_id'] === requestId);
    await this.watch.until(() => own() !== undefined);
    const { traceId } = own()!;
    return this.spans.filter((span) => span.traceId === traceId);
  }

  async stop(): Promise<void> {
    this.#grpc.forceShutdown();
    this.#http.closeAllConnections();
    await new Promise<void>((resolve) => this.#http.close(() => resolve()));
  }

  #takeMetrics(octets: Buffer, headers: Headers): void {
    this.headers = headers;
    for (const { resource, scopeMetrics } of ExportMetricsServiceRequest.decode(octets).resourceMetrics) {
      this.metrics.take(
        scopeMetrics.flatMap(({ metrics }) => metrics),
        record(resource?.attributes ?? []),
      );
    }
    this.watch.changed();
  }

  #take(octets: Buffer, headers: Headers): void {
    this.headers = headers;
    for (const { resource, scopeSpans } of ExportTraceServiceRequest.decode(octets).resourceSpans) {
      for (const { spans } of scopeSpans) {
        for (const span of spans) this.spans.push(toSpan(span, record(resource?.attributes ?? [])));
      }
    }
    this.watch.changed();
  }
}

type Decoded = ReturnType<typeof ExportTraceServiceRequest.decode>['resourceSpans'][0]['scopeSpans'][0]['spans'][0];

/** opentelemetry.proto.trace.v1.Span.SpanKind and Status.StatusCode. */
const KINDS = ['other', 'internal', 'server', 'client'] as const;
const STATUS_ERROR = 2;

function toSpan(span: Decoded, resource: CollectedSpan['resource']): CollectedSpan {
  const hex = (octets: Uint8Array | null): string => Buffer.from(octets ?? []).toString('hex');
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId),
    name: span.name,
    kind: KINDS[span.kind] ?? 'other',
    attributes: record(span.attributes),
    error: span.status?.code === STATUS_ERROR,
    start: BigInt(span.startTimeUnixNano.toString()),
    end: BigInt(span.endTimeUnixNano.toString()),
    resource,
  };
}

function unpack(body: Buffer, headers: IncomingHttpHeaders): Buffer {
  return headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}
