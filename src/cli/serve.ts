import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Io } from './io.ts';
import { parseCount } from './parse-values.ts';
import { runGateway } from './run-gateway.ts';

export function addServeCommand(program: Command, io: Io): void {
  program
    .command('serve')
    .description('run a gateway; prints "ready" and its addresses when it answers')
    .option('--config <file>', 'its configuration', './tollgate.yaml')
    .option('--grace <seconds>', 'how long running calls may take to end after a signal', parseCount, 10)
    .addHelpText(
      'after',
      '\nOn its first start it prints an admin key, alone on a line after "admin key:", unless TOLLGATE_ADMIN_KEY is set.',
    )
    .action(({ config, grace }: { config: string; grace: number }) =>
      runGateway({
        io,
        configPath: config,
        env: io.env,
        load: () => loadConfig(resolve(io.cwd, config), { env: io.env }),
        graceMs: grace * 1000,
      }),
    );
}
