import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Children, Service } from '../children.ts';
import type { BenchTenant } from '../fixtures.ts';

/** What a proxy is started with. */
export interface Setup {
  readonly children: Children;
  /** A folder of this proxy's own. */
  readonly folder: string;
  /** Listen here, on 127.0.0.1, HTTP/2 with prior knowledge. */
  readonly port: number;
  /** Where it has a listener for administrators; any when absent. */
  readonly adminPort?: number;
  /** Forward there, the same way. */
  readonly backendPort: number;
  readonly tenants: readonly BenchTenant[];
}

/** A proxy that can be measured. */
export interface Contender {
  readonly name: string;
  /** What it does with a request, for the table's legend. */
  readonly does: string;
  /** What to install when it is missing. */
  readonly install: string;
  /** True when it must refuse a request without a key. */
  readonly authenticates: boolean;
  /** Its version; undefined when it is not installed. */
  version(): string | undefined;
  /** Starts it; it need not listen yet. */
  start(setup: Setup): Service | Promise<Service>;
}

/** Full path of a program: of those in PATH, and in the folders where Debian keeps servers. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The version that a program tells, as the first group of `pattern`; undefined when there is no program. */
export function versionOf(program: string | undefined, flag: string, pattern: RegExp): string | undefined {
  if (program === undefined) return undefined;
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' });
  return pattern.exec(`${stdout}${stderr}`)?.[1];
}

/** Fills the `__names__` of a template beside this file, and writes it into the proxy's folder; @returns its path. */
export function configure(setup: Setup, template: string, values: Readonly<Record<string, string>> = {}): string {
  const all: Readonly<Record<string, string>> = {
    port: String(setup.port),
    backend_port: String(setup.backendPort),
    folder: setup.folder,
    ...values,
  };
  const text = readFileSync(join(import.meta.dirname, template), 'utf8');
  const filled = text.replace(/__([a-z_]+?)__/g, (_, name: string) => {
    const value = all[name];
    if (value === undefined) throw new Error(`${template}: nothing to fill __${name}__ with`);
    return value;
  });
  const path = join(setup.folder, template);
  writeFileSync(path, filled);
  return path;
}

/** Standard output of a command; undefined when it fails. */
export function outputOf(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}
