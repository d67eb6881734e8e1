import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseKey } from '../tenants/key-text.ts';
import { ExitCode } from './exit-codes.ts';
import { CliError, type Io } from './io.ts';

/** Where a key is to be found: never the key itself. */
export interface SecretSource {
  /** Name of an environment variable. */
  readonly keyFromEnv?: string | undefined;
  /** Path of a file that holds the key and nothing else. */
  readonly keyFile?: string | undefined;
}

/** Longer names than this with small letters and digits in them are keys that somebody put in the wrong place. */
const LONG = 22;

/**
 * Whether a text that should name a variable is a key instead. It must not be repeated, or written anywhere.
 * @param env where a variable of that name may be, all the same
 */
export function looksLikeKey(name: string, env: Io['env']): boolean {
  if (parseKey(name) !== undefined) return true;
  return env[name] === undefined && name.length >= LONG && /[a-z]/.test(name) && /\d/.test(name);
}

/**
 * Reads a key from where it is; undefined when `source` names no place.
 * @throws CliError
 */
export async function readSecret(source: SecretSource, io: Io): Promise<string | undefined> {
  if (source.keyFromEnv !== undefined) return readVariable(source.keyFromEnv, io);
  if (source.keyFile !== undefined) return readKeyFile(resolve(io.cwd, source.keyFile));
  return undefined;
}

/** @param option as the user gave the name. @throws CliError */
export function readVariable(name: string, io: Io, option = '--key-from-env'): string {
  if (looksLikeKey(name, io.env)) {
    throw new CliError(`${option} takes the name of a variable that holds the key, not the key.`, ExitCode.USAGE);
  }
  const key = io.env[name];
  if (key) return key;
  throw new CliError(`the environment has no variable ${name}: export ${name}=tg_...`, ExitCode.DENIED);
}

async function readKeyFile(path: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new CliError(`cannot read the key from ${path}: ${describe(error)}`, ExitCode.DENIED);
  }
  if (text !== '') return text;
  throw new CliError(`${path} is empty: it should hold the key, and nothing else`, ExitCode.DENIED);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
