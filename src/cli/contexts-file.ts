import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { CliError, type Io } from './io.ts';
import type { SecretSource } from './secret-source.ts';
import type { TlsOptions } from './tls-options.ts';

/** A gateway that somebody administers: where it is, and where the key to it is. Paths are absolute. */
export interface Context extends SecretSource, TlsOptions {
  readonly name: string;
  readonly address: string;
}

export interface Contexts {
  /** Name of the one that is in use when none is asked for; empty for none. */
  readonly current: string;
  readonly contexts: readonly Context[];
}

/** By the names of the file. */
const TEXTS = {
  name: 'name',
  address: 'address',
  key_from_env: 'keyFromEnv',
  key_file: 'keyFile',
  ca: 'ca',
  cert: 'cert',
  cert_key: 'certKey',
  server_name: 'serverName',
} as const;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export const isContextName = (name: string): boolean => NAME.test(name);

/** `$XDG_CONFIG_HOME/tollgate/contexts.yaml`, or that in `~/.config` (XDG Base Directory Specification). */
export function contextsPath({ env, cwd }: Io): string {
  const { XDG_CONFIG_HOME: config = '', HOME, USERPROFILE } = env;
  const folder = isAbsolute(config) ? config : join(HOME || USERPROFILE || cwd, '.config');
  return join(folder, 'tollgate', 'contexts.yaml');
}

/** None when there is no file. @throws CliError when it cannot be read, or is not as it should be */
export async function readContexts(io: Io): Promise<Contexts> {
  const path = contextsPath(io);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { current: '', contexts: [] };
    throw new CliError(`cannot read the contexts: ${error instanceof Error ? error.message : String(error)}`);
  }
  return parseContexts(text, path);
}

/** Puts a new file in the place of the old one: nobody else may read it, and it is never half written. */
export async function writeContexts(io: Io, { current, contexts }: Contexts): Promise<void> {
  const path = contextsPath(io);
  const file = { ...(current === '' ? {} : { current }), contexts: contexts.map(toFile) };
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new`;
  await writeFile(draft, stringify(file), { mode: 0o600 });
  // A draft that a crash has left keeps the mode that it had.
  await chmod(draft, 0o600);
  await rename(draft, path);
}

function toFile(context: Context): Record<string, string | true> {
  const file: Record<string, string | true> = {};
  for (const [key, property] of Object.entries(TEXTS)) {
    const value = context[property];
    if (value !== undefined) file[key] = value;
  }
  return context.tls ? { ...file, tls: true } : file;
}

function parseContexts(text: string, path: string): Contexts {
  const fail = (what: string): never => {
    throw new CliError(`${path}: ${what}.\nMend it, or delete it and set your contexts again (tollgate contexts set).`);
  };
  let file: unknown;
  try {
    file = parse(text) ?? {};
  } catch (error) {
    return fail(`it is not YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`);
  }
  if (!isObject(file)) return fail('a mapping with "current" and "contexts" is expected');
  const { current = '', contexts = [] } = file;
  if (typeof current !== 'string') return fail('"current" is the name of a context');
  if (!Array.isArray(contexts)) return fail('"contexts" is a list');
  return { current, contexts: contexts.map((each: unknown) => parseContext(each, fail)) };
}

function parseContext(item: unknown, fail: (what: string) => never): Context {
  if (!isObject(item)) return fail('a context is a mapping with "name" and "address"');
  // The words of what is not understood are not repeated: it may be a key.
  if ('key' in item)
    return fail('a context never holds a key: name the variable ("key_from_env") or file ("key_file")');
  const found: Record<string, string | true> = {};
  for (const [key, value] of Object.entries(item)) {
    if (key === 'tls' && typeof value === 'boolean') {
      if (value) found.tls = true;
    } else if (isTextKey(key) && typeof value === 'string') found[TEXTS[key]] = value;
    else return fail(`a context has ${[...Object.keys(TEXTS), 'tls'].join(', ')}, and nothing else`);
  }
  const { name, address, ...rest } = found;
  if (typeof name !== 'string' || typeof address !== 'string') return fail('a context needs a "name" and an "address"');
  return { ...rest, name, address };
}

const isTextKey = (key: string): key is keyof typeof TEXTS => Object.hasOwn(TEXTS, key);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
