import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { addTlsOptions } from './admin-client.ts';
import {
  type Context,
  type Contexts,
  contextsPath,
  isContextName,
  readContexts,
  writeContexts,
} from './contexts-file.ts';
import { ExitCode } from './exit-codes.ts';
import { CliError, type Io } from './io.ts';
import { printList, type View } from './print.ts';
import { looksLikeKey } from './secret-source.ts';
import { resolveTarget } from './target.ts';

interface SetOptions extends Partial<Context> {
  readonly key?: string;
}

export function addContextCommands(program: Command, io: Io): void {
  const contexts = program
    .command('contexts')
    .description('the gateways that you administer: list, set, use, delete')
    .addHelpText(
      'after',
      '\nThey are kept in $XDG_CONFIG_HOME/tollgate/contexts.yaml (~/.config without it): addresses, and where the keys are, never a key.\n' +
        '\nExample:\n' +
        '  tollgate contexts set prod --address gw.example.com:7401 --ca ca.pem --key-from-env PROD_ADMIN_KEY\n' +
        '  tollgate contexts use prod\n' +
        '  tollgate tenants list                    asks prod\n' +
        '  tollgate tenants list --context staging  asks another',
    );
  addList(contexts, io);
  addSet(contexts, io);
  addUse(contexts, io);
  addDelete(contexts, io);
}

function addList(contexts: Command, io: Io): void {
  contexts
    .command('list')
    .description('list them; the one in use has a *')
    .addOption(
      new Option('--output <format>', 'for people or for programs').choices(['table', 'json']).default('table'),
    )
    .action(async ({ output }: { output: 'table' | 'json' }) => {
      const { current, contexts: items } = await readContexts(io);
      const view: View<Context> = {
        toJson: (context) => ({ ...context, inUse: context.name === current }),
        fields: (context) => [
          ['name', `${context.name === current ? '*' : ' '} ${context.name}`],
          ['address', context.address],
          ['key', describeKey(context)],
          ['tls', describeTls(context)],
        ],
      };
      const nothing = 'No contexts yet: tollgate contexts set NAME --address HOST:PORT --key-from-env VARIABLE';
      printList(io, output, view, { items, more: false }, nothing);
    });
}

function describeKey({ keyFromEnv, keyFile }: Context): string {
  if (keyFromEnv !== undefined) return `$${keyFromEnv}`;
  return keyFile ?? '$TOLLGATE_ADMIN_KEY';
}

function describeTls({ tls, ca, cert, serverName }: Context): string {
  if (cert !== undefined) return 'mutual';
  return tls || ca !== undefined || serverName !== undefined ? 'yes' : 'no';
}

function addSet(contexts: Command, io: Io): void {
  const set = contexts
    .command('set <name>')
    .description('set a context anew; the first one is in use at once')
    .requiredOption('--address <host:port>', 'its admin listener')
    .option('--key-from-env <name>', 'the variable that holds the key (TOLLGATE_ADMIN_KEY when nothing is said)')
    .option('--key-file <file>', 'a file that holds the key')
    .addOption(new Option('--key <key>').hideHelp());
  addTlsOptions(set, 'TLS:').action(async (name: string, options: SetOptions) => {
    const context = toContext(name, options, io);
    const { current, contexts: before } = await readContexts(io);
    const others = before.filter((each) => each.name !== name);
    const first = before.length === 0;
    await writeContexts(io, { current: first ? name : current, contexts: [...others, context] });
    io.stderr.write(`Set context ${name} in ${contextsPath(io)}${first ? ', and in use' : ''}.\n`);
    await warnOfKey(name, io);
  });
}

function toContext(name: string, { key, ...options }: SetOptions, io: Io): Context {
  const { address = '', keyFromEnv, keyFile, tls, ca, cert, certKey, serverName } = options;
  const fail = (message: string): never => {
    throw new CliError(message, ExitCode.USAGE);
  };
  if (!isContextName(name)) return fail(`a context's name is letters, digits, ".", "_" and "-", at most 63`);
  if (key !== undefined) {
    return fail(
      'a key itself is never kept in the contexts. Put it where only you can read it, and say where that is:\n' +
        '--key-from-env NAME (a variable), or --key-file FILE',
    );
  }
  if (keyFromEnv !== undefined && keyFile !== undefined) return fail('--key-from-env and --key-file: keep one of them');
  if (keyFromEnv !== undefined && looksLikeKey(keyFromEnv, io.env)) {
    return fail('--key-from-env takes the name of a variable that holds the key, not the key; nothing was written');
  }
  if ((cert === undefined) !== (certKey === undefined)) return fail('--cert and --cert-key belong together');
  const file = (path: string | undefined) => path && resolve(io.cwd, path);
  const files = { keyFile: file(keyFile), ca: file(ca), cert: file(cert), certKey: file(certKey) };
  return { name, address, keyFromEnv, tls, serverName, ...files };
}

/** A variable may be set later, a file written later; but mostly it is a typing error. */
async function warnOfKey(name: string, io: Io): Promise<void> {
  try {
    await resolveTarget({ context: name }, io);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    io.stderr.write(`Not usable yet: ${error.message.split('\n')[0]}\n`);
  }
}

function addUse(contexts: Command, io: Io): void {
  contexts
    .command('use <name>')
    .description('use this one where none is named')
    .action(async (name: string) => {
      const all = await readContexts(io);
      find(all, name);
      await writeContexts(io, { ...all, current: name });
      io.stderr.write(`Using context ${name}.\n`);
      const { TOLLGATE_CONTEXT: context, TOLLGATE_ADMIN_ADDRESS: address } = io.env;
      if (context && context !== name) io.stderr.write(`But TOLLGATE_CONTEXT is set, to ${context}: that wins.\n`);
      else if (!context && address) io.stderr.write(`But TOLLGATE_ADMIN_ADDRESS is set, to ${address}: that wins.\n`);
    });
}

function addDelete(contexts: Command, io: Io): void {
  contexts
    .command('delete <name>')
    .description('forget a context')
    .action(async (name: string) => {
      const all = await readContexts(io);
      find(all, name);
      const current = all.current === name ? '' : all.current;
      await writeContexts(io, { current, contexts: all.contexts.filter((each) => each.name !== name) });
      io.stderr.write(`Deleted context ${name}.${all.current === name ? ' None is in use now.' : ''}\n`);
    });
}

function find({ contexts }: Contexts, name: string): void {
  if (contexts.some((each) => each.name === name)) return;
  const names = contexts.map((each) => each.name).join(', ') || 'none';
  throw new CliError(`there is no context "${name}" (there: ${names})`, ExitCode.NOT_FOUND);
}
