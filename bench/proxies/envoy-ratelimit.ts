import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../children.ts';
import { envoyArguments, envoyVersion, findEnvoy } from './envoy.ts';
import { type Contender, configure, findProgram, type Setup } from './proxy.ts';
import { redisVersion, startRedis } from './redis.ts';

const DOMAIN = 'bench';
/** A limit that really counts but admits, as Tollgate's. */
const PER_SECOND = 1_000_000;

/** The program as `go install` names it. */
function findRateLimit(): string | undefined {
  const own = process.env.RATELIMIT ?? join(homedir(), 'go', 'bin', 'service_cmd');
  return existsSync(own) ? own : findProgram('service_cmd');
}

/** Envoy that asks envoyproxy/ratelimit, which asks Redis, for every request: the usual way to one limit for a fleet. */
export const envoyRateLimit: Contender = {
  name: 'Envoy-RateLimit',
  does: 'forwards; asks envoyproxy/ratelimit, which counts in Redis, for each request; with the CPU of both, without that of Redis',
  install:
    'Envoy, redis-server, and: go install github.com/envoyproxy/ratelimit/src/service_cmd@latest (or set RATELIMIT to it)',
  authenticates: false,
  version() {
    const [envoy, redis] = [envoyVersion(), redisVersion()];
    if (envoy === undefined || redis === undefined || findRateLimit() === undefined) return undefined;
    return `${envoy} with ratelimit and Redis ${redis}`;
  },
  async start(setup) {
    const redis = await startRedis(setup);
    const [grpc, http, debug] = await freePorts(3);
    writeLimits(setup);
    const config = configure(setup, 'envoy.yaml', withService(grpc!));
    const env = {
      REDIS_SOCKET_TYPE: 'tcp',
      REDIS_URL: `127.0.0.1:${redis}`,
      RUNTIME_ROOT: setup.folder,
      RUNTIME_SUBDIRECTORY: 'limits',
      RUNTIME_WATCH_ROOT: 'false',
      USE_STATSD: 'false',
      LOG_LEVEL: 'error',
      HOST: '127.0.0.1',
      PORT: String(http),
      GRPC_HOST: '127.0.0.1',
      GRPC_PORT: String(grpc),
      DEBUG_HOST: '127.0.0.1',
      DEBUG_PORT: String(debug),
      // One of its threads for one of Envoy's.
      GOMAXPROCS: '1',
    };
    // One tree of processes, so that both are measured, and end together.
    const script = '"$0" & exec "$@"';
    const args = ['-c', script, findRateLimit()!, findEnvoy()!, ...envoyArguments(config)];
    return setup.children.start('envoy-ratelimit', 'sh', args, { env });
  },
};

function writeLimits(setup: Setup): void {
  const folder = join(setup.folder, 'limits', 'config');
  mkdirSync(folder, { recursive: true });
  const limit = { unit: 'second', requests_per_unit: PER_SECOND };
  writeFileSync(
    join(folder, 'bench.yaml'),
    stringify({ domain: DOMAIN, descriptors: [{ key: 'tenant', rate_limit: limit }] }),
  );
}

/** The parts of `envoy.yaml`, each in a line of JSON, which is YAML. */
function withService(port: number): Record<string, string> {
  const type = 'type.googleapis.com/envoy.extensions';
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const filter = {
    name: 'envoy.filters.http.ratelimit',
    typed_config: {
      '@type': `${type}.filters.http.ratelimit.v3.RateLimit`,
      domain: DOMAIN,
      timeout: '2s',
      failure_mode_deny: true,
      rate_limit_service: { transport_api_version: 'V3', grpc_service: { envoy_grpc: { cluster_name: 'ratelimit' } } },
    },
  };
  const cluster = {
    name: 'ratelimit',
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: { cluster_name: 'ratelimit', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    circuit_breakers: { thresholds: [{ max_connections: 4096, max_pending_requests: 100000, max_requests: 100000 }] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${type}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  const limits = { actions: [{ request_headers: { header_name: 'authorization', descriptor_key: 'tenant' } }] };
  return {
    rate_limits: JSON.stringify(limits),
    rate_limit_filter: `\n${' '.repeat(18)}- ${JSON.stringify(filter)}`,
    rate_limit_cluster: `\n${' '.repeat(4)}- ${JSON.stringify(cluster)}`,
  };
}
