import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { packagePath } from '../contracts/package-root.ts';
import { addApplyCommand } from './apply/apply.ts';
import { addExportCommand } from './apply/export.ts';
import { addAuditCommand } from './audit.ts';
import { addBackendCommands } from './backends.ts';
import { addBreakerCommands } from './breakers.ts';
import { check } from './check.ts';
import { addContextCommands } from './contexts.ts';
import { addContractCommands } from './contracts.ts';
import { addDebugCommand } from './debug.ts';
import { addExamples } from './examples.ts';
import { ExitCode } from './exit-codes.ts';
import { addExplainCommand } from './explain.ts';
import { addGatewayCommands } from './gateways.ts';
import { CliError, type Io } from './io.ts';
import { addKeyCommands } from './keys.ts';
import { addMetricsCommand } from './metrics.ts';
import { addPlanCommands } from './plans.ts';
import { addServeCommand } from './serve.ts';
import { addStartCommand } from './start.ts';
import { addTenantCommands } from './tenants.ts';
import { addTopCommand } from './top.ts';
import { addTraceCommand } from './trace.ts';
import { addUsageCommands } from './usage.ts';

/**
 * Runs one command line.
 *
 * @param args without the program's own name
 * @returns the exit code, one of `ExitCode`
 */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  try {
    await createProgram(io).parseAsync(args, { from: 'user' });
    return ExitCode.OK;
  } catch (error) {
    // Commander has written what is wrong already; asking for help is not an error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
    if (error instanceof CliError) {
      if (error.message !== '') io.stderr.write(`error: ${error.message}\n`);
      return error.exitCode;
    }
    io.stderr.write(`error: this is a fault in tollgate itself, please report it:\n${describeFault(error)}\n`);
    return ExitCode.FAILED;
  }
}

/** All commands, before any is run. */
export function createProgram(io: Io): Command {
  const program = new Command('tollgate')
    .description('A multi-tenant API gateway for gRPC and HTTP/2 with typed contracts')
    .version(readVersion())
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError('(add --help for what there is)')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  tollgate start                                   a gateway with an example backend, to try it\n' +
        '  tollgate serve --config tollgate.yaml            a gateway of your own\n' +
        '  tollgate tenants create acme --plan free         needs TOLLGATE_ADMIN_KEY\n' +
        '  tollgate keys create --tenant acme --name ci     prints the key, once\n',
    );
  addStartCommand(program, io);
  addServeCommand(program, io);
  addCheckCommand(program, io);
  addTenantCommands(program, io);
  addPlanCommands(program, io);
  addKeyCommands(program, io);
  addBackendCommands(program, io);
  addContractCommands(program, io);
  addUsageCommands(program, io);
  addExplainCommand(program, io);
  addExportCommand(program, io);
  addApplyCommand(program, io);
  addMetricsCommand(program, io);
  addTopCommand(program, io);
  addTraceCommand(program, io);
  addDebugCommand(program, io);
  addBreakerCommands(program, io);
  addGatewayCommands(program, io);
  addAuditCommand(program, io);
  addContextCommands(program, io);
  addExamples(program);
  return program;
}

function addCheckCommand(program: Command, io: Io): void {
  program
    .command('check [file]')
    .description('say what is in a configuration, or everything that is wrong with it')
    .action(async (file = './tollgate.yaml') => {
      const out = (line: string): void => void io.stdout.write(`${line}\n`);
      const err = (line: string): void => void io.stderr.write(`${line}\n`);
      const exitCode = await check(resolve(io.cwd, file), { env: io.env, out, err });
      if (exitCode !== 0) throw new CliError('');
    });
}

function readVersion(): string {
  const file: unknown = JSON.parse(readFileSync(packagePath('package.json', import.meta.dirname), 'utf8'));
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : 'unknown';
}

function describeFault(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
