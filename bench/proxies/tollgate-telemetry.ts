import { join } from 'node:path';
import { freePorts } from '../children.ts';
import type { Contender, Setup } from './proxy.ts';
import { embeddedIn, startTollgate, tollgateVersion } from './tollgate.ts';

const COLLECTOR = join(import.meta.dirname, '..', 'collector-process.ts');

const NO_METRICS = { metrics: { disabled: true } };
const NO_ACCESS_LOG = { access_log: { disabled: true } };

/** The same gateway without any telemetry: what those below are held against. */
export const tollgateBare = variant('Tollgate-Bare', 'the same without metrics, access log and traces', () => ({
  ...NO_METRICS,
  ...NO_ACCESS_LOG,
}));

export const tollgateMetrics = variant('Tollgate-Metrics', 'the same with metrics alone', () => NO_ACCESS_LOG);

export const tollgateTracing = variant(
  'Tollgate-Tracing',
  'the same with traces alone, 1 % of the calls to a collector',
  async (setup) => ({
    ...(await traced(setup)),
    ...NO_METRICS,
    ...NO_ACCESS_LOG,
  }),
);

export const tollgateTraced = variant(
  'Tollgate-Traced',
  'the same with metrics, access log, and 1 % of the calls traced to a collector',
  (setup) => traced(setup),
);

export const tollgateFrozen = variant(
  'Tollgate-Frozen',
  'the same with metrics, access log, and every call traced to a collector that never answers',
  (setup) => traced(setup, 'frozen'),
);

function variant(name: string, does: string, telemetry: (setup: Setup) => unknown): Contender {
  return {
    name,
    does,
    install: 'src/cli/main.ts is missing',
    authenticates: true,
    version: () => tollgateVersion(),
    start: async (setup) =>
      startTollgate(name.toLowerCase(), setup, embeddedIn(setup), undefined, await telemetry(setup)),
  };
}

async function traced({ children }: Setup, mode?: 'frozen'): Promise<object> {
  const [port] = await freePorts(1);
  children.start(`collector-${port}`, process.execPath, [
    COLLECTOR,
    String(port),
    ...(mode === undefined ? [] : [mode]),
  ]);
  return {
    otlp: { endpoint: `http://127.0.0.1:${port}`, protocol: 'http_protobuf' },
    tracing: { ratio: mode === undefined ? 0.01 : 1 },
  };
}
