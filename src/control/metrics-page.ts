import type { Principal } from '../chain/call.ts';
import { type Http1Answer, MAX_PIECE } from '../http2/index.ts';
import { CONTENT_TYPES, formatFor, inPieces, writeMetrics } from '../metrics/exposition.ts';
import type { GatewayMetrics } from '../metrics/gateway-metrics.ts';
import { METRICS_SCOPE, roleOf } from '../tenants/roles.ts';
import type { PlainPage, PlainRequest } from './probes.ts';

/** Texts that are being written at once: each holds what it says. */
const MAX_AT_ONCE = 4;

const UNAUTHORIZED: Http1Answer = {
  status: 401,
  body: 'The metrics of this gateway take a key: authorization: Bearer <key of an administrator, or with the scope tollgate.metrics>\n',
};
const FORBIDDEN: Http1Answer = {
  status: 403,
  body: 'This key is valid, and has no role: metrics take tollgate.owner, tollgate.operator, tollgate.viewer or tollgate.metrics.\n',
};
const BUSY: Http1Answer = { status: 503, body: 'Others are reading the metrics: try again.\n' };

export interface MetricsPageOptions {
  readonly metrics: GatewayMetrics;
  /** Who has presented a credential; undefined: nobody that is known. */
  readonly authenticate: (credential: string, remoteAddress: string) => Promise<Principal | undefined>;
}

/** `GET /metrics`, for Prometheus and what reads its formats. */
export class MetricsPage {
  readonly #options: MetricsPageOptions;
  #running = 0;

  constructor(options: MetricsPageOptions) {
    this.#options = options;
  }

  /** @param requiresKey whether a listener shows it to administrators only */
  forListener(requiresKey: boolean): PlainPage {
    return (request) => {
      if (request.path.split('?', 1)[0] !== '/metrics') return undefined;
      return requiresKey ? this.#answerKnown(request) : this.#answer(request);
    };
  }

  async #answerKnown(request: PlainRequest): Promise<Http1Answer> {
    const principal = await this.#options.authenticate(request.credential, request.remoteAddress);
    if (principal === undefined) return UNAUTHORIZED;
    const { scopes } = principal;
    return roleOf(scopes) === undefined && !scopes.has(METRICS_SCOPE) ? FORBIDDEN : this.#answer(request);
  }

  #answer({ accept, method }: PlainRequest): Http1Answer {
    const format = formatFor(accept);
    const contentType = CONTENT_TYPES[format];
    if (method === 'HEAD') return { status: 200, contentType, body: '' };
    if (this.#running >= MAX_AT_ONCE) return BUSY;
    return { status: 200, contentType, body: this.#pieces(format) };
  }

  *#pieces(format: 'openmetrics' | 'prometheus'): Generator<Buffer> {
    this.#running++;
    try {
      yield* inPieces(writeMetrics(this.#options.metrics, format), MAX_PIECE);
    } finally {
      this.#running--;
    }
  }
}
