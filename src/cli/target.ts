import { type Context, contextsPath, readContexts } from './contexts-file.ts';
import { ExitCode } from './exit-codes.ts';
import { CliError, type Io } from './io.ts';
import { readSecret, type SecretSource } from './secret-source.ts';
import type { TlsOptions } from './tls-options.ts';

/** How the user said which gateway is meant, and with which key. */
export interface TargetOptions extends SecretSource, TlsOptions {
  readonly context?: string | undefined;
  readonly address?: string | undefined;
  readonly key?: string | undefined;
}

export interface Target extends TlsOptions {
  readonly address: string;
  readonly key: string;
}

export const DEFAULT_ADDRESS = '127.0.0.1:7401';

/**
 * The gateway to call. A context that applies brings its own key: what is set for one gateway in the environment is not sent to
 * another, and a context's key goes to no address but its own, unless both were asked for by option.
 *
 * @throws CliError
 */
export async function resolveTarget(options: TargetOptions, io: Io): Promise<Target> {
  const context = await findContext(options, io);
  const address = options.address ?? context?.address ?? io.env.TOLLGATE_ADMIN_ADDRESS ?? DEFAULT_ADDRESS;
  const [, scheme, rest] = /^(https?):\/\/([^/]*)/i.exec(address) ?? [];
  if (scheme !== undefined) {
    const tls = scheme.toLowerCase() === 'https' ? ', and --tls or --ca for TLS' : '';
    throw new CliError(`the address is HOST:PORT alone, not "${address}": write ${rest}${tls}`, ExitCode.USAGE);
  }
  const key = await findKey(options, context, io);
  if (!key) {
    throw new CliError(
      'no admin key: set TOLLGATE_ADMIN_KEY, or give --key-from-env, --key-file or --key.\n' +
        'The gateway prints one at its first start, after the line "admin key:".',
      ExitCode.DENIED,
    );
  }
  return {
    address,
    key,
    tls: options.tls ?? context?.tls,
    ca: options.ca ?? context?.ca,
    cert: options.cert ?? context?.cert,
    certKey: options.certKey ?? context?.certKey,
    serverName: options.serverName ?? context?.serverName,
  };
}

/** `--context`, else none where an address is given, else TOLLGATE_CONTEXT, else none where the environment has an address, else that in use. */
async function findContext({ context, address }: TargetOptions, io: Io): Promise<Context | undefined> {
  const { TOLLGATE_CONTEXT: fromEnv, TOLLGATE_ADMIN_ADDRESS: addressFromEnv } = io.env;
  const asked = context ?? (address === undefined ? fromEnv : undefined);
  if (!asked && (address !== undefined || addressFromEnv)) return undefined;
  const { current, contexts } = await readContexts(io);
  const name = asked || current;
  if (name === '') return undefined;
  const found = contexts.find((each) => each.name === name);
  if (found) return found;
  const known = contexts.map((each) => each.name).join(', ') || 'none';
  throw new CliError(
    `there is no context "${name}" in ${contextsPath(io)} (there: ${known}).\n` +
      `Set it: tollgate contexts set ${name} --address HOST:PORT --key-from-env NAME`,
    ExitCode.USAGE,
  );
}

async function findKey(options: TargetOptions, context: Context | undefined, io: Io): Promise<string | undefined> {
  return (
    options.key ?? (await readSecret(options, io)) ?? (await readSecret(context ?? {}, io)) ?? io.env.TOLLGATE_ADMIN_KEY
  );
}
