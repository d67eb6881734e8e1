import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Gateway } from '../../src/gateway.ts';
import type { LogLevel } from '../../src/telemetry/log-level.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { type TestConfigOptions, testConfig } from './test-config.ts';

const MAX_LOGS = 1_000;

/** A gateway inside the test's process. */
export interface TestGateway {
  readonly gateway: Gateway;
  /** Ports of the listeners `public` and `admin`. */
  readonly public: number;
  readonly admin: number;
  readonly adminKey: string;
  /** What it logged, at `warn` and above unless another level was asked for. */
  readonly logs: readonly string[];
  /** Port of any listener. @throws when there is none of this name */
  port(listener: string): number;
  /** The key of a tenant of the configuration. */
  key(tenant: string): string;
  stop(): Promise<void>;
}

/** Starts a gateway on free ports, with a store of its own that `stop` deletes. */
export async function startTestGateway({
  logLevel = 'warn',
  ...options
}: TestConfigOptions & { readonly logLevel?: LogLevel }): Promise<TestGateway> {
  const { config, env, adminKey, key } = testConfig(options);
  const baseDir = await mkdtemp(join(tmpdir(), 'tollgate-test-'));
  const logs: string[] = [];
  const log = createLogger(logLevel, { write: (line) => void (logs.length < MAX_LOGS && logs.push(line)) });
  const gateway = await Gateway.start(config, { baseDir, env, log });
  const port = (listener: string): number => {
    const address = gateway.addresses.get(listener);
    if (!address) throw new Error(`the gateway has no listener ${listener}`);
    return address.port;
  };
  return {
    gateway,
    logs,
    public: port('public'),
    admin: port('admin'),
    adminKey,
    port,
    key,
    stop: async () => {
      await gateway.stop(0);
      await rm(baseDir, { recursive: true, force: true });
    },
  };
}
