import { envoy } from './envoy.ts';
import { envoyRateLimit } from './envoy-ratelimit.ts';
import { haproxy } from './haproxy.ts';
import { nghttpx } from './nghttpx.ts';
import { nginx } from './nginx.ts';
import { nodeHttp2 } from './node-http2.ts';
import type { Contender } from './proxy.ts';
import { tollgate } from './tollgate.ts';
import { tollgateRedis } from './tollgate-redis.ts';
import {
  tollgateBare,
  tollgateFrozen,
  tollgateMetrics,
  tollgateTraced,
  tollgateTracing,
} from './tollgate-telemetry.ts';

export const PROXIES: readonly Contender[] = [
  tollgate,
  tollgateRedis,
  haproxy,
  nginx,
  nghttpx,
  envoy,
  envoyRateLimit,
  nodeHttp2,
];

/** Measured only when they are named. */
export const VARIANTS: readonly Contender[] = [
  tollgateBare,
  tollgateMetrics,
  tollgateTracing,
  tollgateTraced,
  tollgateFrozen,
];
