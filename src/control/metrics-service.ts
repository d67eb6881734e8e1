import type {
  GetMetricsRequest,
  GetMetricsResponse,
  MetricsServiceServer,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createUnaryHandler } from './unary-handler.ts';

/** What the gateway counted; `GatewayMetrics` is one. */
export interface MetricsSource {
  getMetrics(request: GetMetricsRequest): GetMetricsResponse;
}

/** `tollgate.metrics.v1.MetricsService`. */
export function createMetricsService(metrics: MetricsSource, log: Logger): MetricsServiceServer {
  return { getMetrics: createUnaryHandler(log, (request: GetMetricsRequest) => metrics.getMetrics(request)) };
}
