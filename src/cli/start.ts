import { randomBytes } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../generated/tollgate/config/v1/config.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { packagePath } from '../contracts/package-root.ts';
import { type DemoKeys, readDemoKeys } from './demo-keys.ts';
import { exampleConfigPath, makeFirstCall, startExampleBackend } from './example-backend.ts';
import { CliError, type Io } from './io.ts';
import { parsePort } from './parse-values.ts';
import { runGateway } from './run-gateway.ts';
import { describeTour } from './tour.ts';

/** Where the example's configuration expects the example backend. */
const BACKEND_PORT = 7500;
const HOST = '127.0.0.1';
const GRACE_MS = 5000;

interface StartOptions {
  readonly port?: number;
  readonly data?: string;
}

export function addStartCommand(program: Command, io: Io): void {
  program
    .command('start')
    .description('try it: a gateway with an example backend and a demo tenant, and commands to call it')
    .option('--port <port>', 'listen on this port, and for admins on the next one; 0 takes free ones', parsePort)
    .option('--data <folder>', 'where the store and the demo key are kept (default: ./data beside the package)')
    .action((options: StartOptions) => start(options, io));
}

async function start(options: StartOptions, io: Io): Promise<void> {
  const configPath = exampleConfigPath();
  const data = options.data === undefined ? defaultData() : resolve(io.cwd, options.data);
  const demo = keepDemoKeys(data, io);
  const env = { ...io.env, ...demo.env };
  const backend = await startExampleBackend({ host: HOST, port: options.port === undefined ? BACKEND_PORT : 0 });
  try {
    await runGateway({
      io,
      configPath,
      env,
      load: () => adjust(loadConfig(configPath, { env }), { port: options.port, data, backendPort: backend.port }),
      graceMs: GRACE_MS,
      // Two long lines of the audit log, of what the example's file has: no welcome.
      quietStart: true,
      onReady: ({ addresses, adminKey }) => {
        const isDefaultData = data === defaultData();
        const tour = describeTour({ addresses, adminKey, demo, backendPort: backend.port, isDefaultData });
        const { host, port } = addresses.get('public') ?? { host: HOST, port: 0 };
        void showFirstCall(io, { address: `${host}:${port}`, key: demo.key }).then(() => io.stdout.write(tour));
      },
    });
  } finally {
    await backend.stop();
  }
}

/** @throws CliError when the folder is none, or closed to this user */
function keepDemoKeys(data: string, io: Io): DemoKeys {
  try {
    return readDemoKeys(data, io.env, randomBytes);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new CliError(
      `cannot keep the demo's keys in ${data} (${reason}): is it a folder that you may write to? Name another with --data FOLDER.`,
    );
  }
}

/** The proof that it works, before anybody types anything. */
async function showFirstCall(io: Io, at: { address: string; key: string }): Promise<void> {
  try {
    io.stdout.write(`\nfirst call: ${await makeFirstCall(at)}\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    io.stderr.write(`first call: it failed (${reason}); the commands below will say more\n`);
  }
}

function defaultData(): string {
  return resolve(dirname(packagePath('proto', import.meta.dirname)), 'data');
}

/** The example's configuration with the ports and the folder of this run. */
function adjust(
  loaded: LoadedConfig,
  run: { port: number | undefined; data: string; backendPort: number },
): LoadedConfig {
  const { port } = run;
  const config: Config = {
    ...loaded.config,
    store: { kind: { $case: 'embedded', embedded: { path: resolve(run.data, 'tollgate.db') } } },
    backends: loaded.config.backends.map((backend) => ({ ...backend, endpoints: [`${HOST}:${run.backendPort}`] })),
    listeners: loaded.config.listeners.map((listener, i) =>
      port === undefined ? listener : { ...listener, address: `${HOST}:${port === 0 ? 0 : port + i}` },
    ),
  };
  return { ...loaded, config };
}
