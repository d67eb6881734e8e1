import type { LoadedConfig } from '../config/load.ts';
import type { Gateway } from '../gateway.ts';
import { createLogger } from '../telemetry/logger.ts';
import { describeStartError } from './describe-start-error.ts';
import { Inlining } from './inlining.ts';
import { CliError, type Io } from './io.ts';
import { OldGeneration } from './old-generation.ts';
import { listenForStop } from './stop-signals.ts';
import { YoungGeneration } from './young-generation.ts';

export interface RunOptions {
  readonly io: Io;
  /** As the user gave it, for messages. */
  readonly configPath: string;
  readonly env: Io['env'];
  /** @throws ConfigError */
  readonly load: () => LoadedConfig;
  /** Milliseconds that running calls get to end. */
  readonly graceMs: number;
  /** Milliseconds for which calls are taken as before after health has said NOT_SERVING. Default 0. */
  readonly noticeMs?: number;
  /** Until it answers nothing below a warning is written to the log. */
  readonly quietStart?: boolean;
  /** Called when the gateway answers, after its addresses are printed. */
  readonly onReady?: (gateway: Gateway) => void;
}

/** Runs a gateway until it is told to stop, and drains it then. @throws CliError when it does not start */
export async function runGateway(options: RunOptions): Promise<void> {
  const { io } = options;
  // From the beginning: who is told to stop while starting starts, and stops well.
  const signals = listenForStop(io);
  const flags = [...process.execArgv, io.env.NODE_OPTIONS ?? ''];
  const old = new OldGeneration(flags);
  const young = new YoungGeneration(flags);
  const inlining = new Inlining(flags);
  let reload = (): void => {};
  const stopReloads = io.onReloadSignal(() => reload());
  try {
    const gateway = await startGateway(options);
    young.letGrow();
    reload = () => gateway.reloadCertificates();
    if (gateway.adminKey !== undefined) io.stdout.write(`admin key:\n${gateway.adminKey}\n`);
    io.stdout.write(`ready ${formatAddresses(gateway)}\n`);
    options.onReady?.(gateway);
    await signals.first;
    io.stderr.write('draining: running calls may end; a second signal ends at once\n');
    await gateway.stop(options.graceMs, options.noticeMs);
  } finally {
    old.release();
    young.release();
    inlining.release();
    stopReloads();
    signals.close();
  }
}

async function startGateway({ io, configPath, env, load, quietStart = false }: RunOptions): Promise<Gateway> {
  try {
    const { config, baseDir, source } = load();
    const log = createLogger(config.telemetry?.logLevel, io.stderr);
    // Loaded here and not above: commands that only call the admin services start faster without it.
    const { Gateway } = await import('../gateway.ts');
    const { level } = log;
    if (quietStart && log.isLevelEnabled('info')) log.level = 'warn';
    const gateway = await Gateway.start(config, { baseDir, env, log, source, memory: io.memory });
    log.level = level;
    return gateway;
  } catch (error) {
    const message = describeStartError(error, configPath);
    throw message === undefined ? error : new CliError(message);
  }
}

function formatAddresses(gateway: Gateway): string {
  return [...gateway.addresses]
    .map(([name, { host, port }]) => `${name}=${host.includes(':') ? `[${host}]` : host}:${port}`)
    .join(' ');
}
