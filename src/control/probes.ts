import type { Http1Answer } from '../http2/index.ts';
import type { Health } from './health.ts';

/** What is asked in plain HTTP, of either version. */
export interface PlainRequest {
  readonly method: string;
  /** With or without a query. */
  readonly path: string;
  /** The credential that was presented; empty when there is none. */
  readonly credential: string;
  readonly accept: string;
  readonly remoteAddress: string;
}

/** Answers requests of a path; undefined when it is none of its own. */
export type PlainPage = (request: PlainRequest) => Http1Answer | Promise<Http1Answer> | undefined;

const NOT_HTTP1: Http1Answer = {
  status: 505,
  body: 'This port speaks gRPC over HTTP/2. In HTTP/1.1 there are only GET /healthz, GET /readyz and, where metrics are shown, GET /metrics.\n',
};
const UNAUTHORIZED: Http1Answer = { status: 401, body: 'Unauthorized\n' };

/**
 * Answers probes: `/healthz` says that the process lives (a failure: restart it), `/readyz` that it takes calls (a failure:
 * send none). They are as public as `grpc.health.v1`, and tell no more.
 */
export function answerProbe(health: Health, { path }: Pick<PlainRequest, 'path'>): Http1Answer | undefined {
  switch (path.split('?', 1)[0]) {
    case '/healthz':
      return { status: 200, body: 'ok\n' };
    case '/readyz':
      return health.isServing('') ? { status: 200, body: 'ready\n' } : { status: 503, body: 'not ready\n' };
    default:
      return undefined;
  }
}

/** Answers a request of HTTP/1: pages, and for everything else where to go. */
export function answerHttp1(
  page: PlainPage,
  uniformErrors: boolean,
  request: PlainRequest,
): Http1Answer | Promise<Http1Answer> {
  const found = request.method === 'GET' || request.method === 'HEAD' ? page(request) : undefined;
  return found ?? (uniformErrors ? UNAUTHORIZED : NOT_HTTP1);
}
