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
    .option(
      '--notice <seconds>',
      'how long to take calls as before once health says NOT_SERVING, for load balancers to see it',
      parseCount,
      0,
    )
    .addHelpText(
      'after',
      '\nOn its first start it prints an admin key, alone on a line after "admin key:", unless TOLLGATE_ADMIN_KEY is set.',
    )
    .action(({ config, grace, notice }: { config: string; grace: number; notice: number }) =>
      runGateway({
        io,
        configPath: config,
        env: io.env,
        load: () => loadConfig(resolve(io.cwd, config), { env: io.env }),
        graceMs: grace * 1000,
        noticeMs: notice * 1000,
      }),
    );
}
