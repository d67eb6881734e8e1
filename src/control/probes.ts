import type { Health } from './health.ts';

/** A plain answer of HTTP. */
export interface PlainAnswer {
  readonly status: number;
  readonly body: string;
}

const NOT_HTTP1: PlainAnswer = {
  status: 505,
  body: 'This port speaks gRPC over HTTP/2. In HTTP/1.1 there are only GET /healthz and GET /readyz.\n',
};
const UNAUTHORIZED: PlainAnswer = { status: 401, body: 'Unauthorized\n' };

/**
 * Answers probes: `/healthz` says that the process lives (a failure: restart it), `/readyz` that it takes calls (a failure:
 * send none). They are as public as `grpc.health.v1`, and tell no more.
 * @param path with or without a query
 * @returns undefined for any other path
 */
export function answerProbe(health: Health, path: string): PlainAnswer | undefined {
  switch (path.split('?', 1)[0]) {
    case '/healthz':
      return { status: 200, body: 'ok\n' };
    case '/readyz':
      return health.isServing('') ? { status: 200, body: 'ready\n' } : { status: 503, body: 'not ready\n' };
    default:
      return undefined;
  }
}

/** Answers a request of HTTP/1: probes, and for everything else where to go. */
export function answerHttp1(health: Health, uniformErrors: boolean, method: string, target: string): PlainAnswer {
  const probe = method === 'GET' || method === 'HEAD' ? answerProbe(health, target) : undefined;
  return probe ?? (uniformErrors ? UNAUTHORIZED : NOT_HTTP1);
}
