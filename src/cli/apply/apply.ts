import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { ConfigError } from '../../config/config-error.ts';
import { type LoadedManifest, parseManifest } from '../../config/load-manifest.ts';
import { type AdminClient, type AdminOptions, addAdminOptions, withAdminClient } from '../admin-client.ts';
import { ExitCode } from '../exit-codes.ts';
import { CliError, type Io } from '../io.ts';
import { printJson } from '../print.ts';
import { type Change, type Comparison, compare, type Resource } from './changes.ts';
import { colour, countChanges, describeChange, headOf, nameOf } from './describe-change.ts';
import { createFieldReaders } from './fields.ts';
import { type MadeKey, makeChange } from './make-change.ts';
import { readState } from './state.ts';

interface ApplyOptions extends AdminOptions {
  readonly file: string;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly yes?: boolean;
  readonly exitCode?: boolean;
  readonly reason?: string;
}

export function addApplyCommand(program: Command, io: Io): void {
  const apply = program
    .command('apply')
    .description(
      'bring plans, tenants, keys, backends and contracts to what a file says: shows what it would change, asks, does it',
    );
  addAdminOptions(apply)
    .requiredOption('-f, --file <file>', 'YAML as "tollgate export" writes it; - for the standard input')
    .option('--dry-run', 'show what would be changed, and change nothing')
    .addOption(
      new Option('--exit-code', `with --dry-run: end with ${ExitCode.DIFFERS} when there is something to change`),
    )
    .option('--prune', 'delete what the file does not have, of the sections that it has')
    .option('--yes', 'do not ask; needed where nobody can be asked')
    .option('--reason <text>', 'why, for the audit log')
    .addHelpText(
      'after',
      '\nWhat the file does not say of a plan, tenant, backend or contract is its default; of a state or expiry, as it is. Sections that the file does\n' +
        'not have (plans, tenants, the keys of a tenant, backends, contracts) are left alone. New keys are printed, once.\n' +
        '\nExample:\n' +
        '  tollgate export > tenants.yaml\n' +
        '  tollgate apply -f tenants.yaml --dry-run',
    )
    .action((options: ApplyOptions) => run(options, io));
}

async function run(options: ApplyOptions, io: Io): Promise<void> {
  if (options.exitCode && !options.dryRun) throw new CliError('--exit-code goes with --dry-run', ExitCode.USAGE);
  const loaded = await load(options.file, io);
  await withAdminClient(options, io, async (client) => {
    const keysOf = loaded.manifest.tenants.filter((_, index) => loaded.says(['tenants', index, 'keys']));
    const state = await readState(
      client,
      keysOf.map(({ id }) => id).filter((id) => id !== ''),
    );
    const comparison = compare(loaded, state, createFieldReaders(), options.prune ?? false);
    const { changes } = comparison;
    if (options.output === 'table') show(io, comparison);
    if (changes.length > 0 && !options.dryRun) await confirm(options, io, changes.length);
    const made = options.dryRun ? [] : await makeAll(client, options, io, changes);
    if (options.output === 'json') printJson(io, toJson(changes, made));
    if (options.dryRun && options.exitCode && changes.length > 0) throw new CliError('', ExitCode.DIFFERS);
  });
}

async function load(file: string, io: Io): Promise<LoadedManifest> {
  const path = resolve(io.cwd, file);
  let text: string;
  try {
    text = file === '-' ? await io.readInput() : await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return parseManifest(text, file === '-' ? 'standard input' : file, file === '-' ? io.cwd : dirname(path));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CliError(`the file cannot be applied, and nothing was changed:\n${error.message}`);
  }
}

function show(io: Io, { changes, kept }: Comparison): void {
  const lines = changes.flatMap(describeChange);
  for (const line of lines) io.stdout.write(`${io.colours ? colour(line) : line}\n`);
  io.stdout.write(changes.length === 0 ? 'Nothing to do.\n' : `\n${countChanges(changes)}.\n`);
  if (kept.length > 0) io.stdout.write(`${describeKept(kept)}\n`);
}

const NAMED = 5;

function describeKept(kept: readonly Resource[]): string {
  const named = kept.slice(0, NAMED).map(nameOf).join(', ');
  const more = kept.length > NAMED ? ` and ${kept.length - NAMED} more` : '';
  return `Not in the file, and kept: ${named}${more}. --prune deletes them.`;
}

async function confirm({ yes, output }: ApplyOptions, io: Io, count: number): Promise<void> {
  if (yes) return;
  if (io.ask === undefined || output === 'json') {
    throw new CliError(
      'nothing was changed: nobody can be asked here. Give --yes to do it, or --dry-run only to look.',
      ExitCode.USAGE,
    );
  }
  const answer = await io.ask(`Make ${count === 1 ? 'this change' : `these ${count} changes`}? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('nothing was changed.');
}

/** One after the other. @throws CliError at the first that fails, with what was done and what was not */
async function makeAll(
  client: AdminClient,
  options: ApplyOptions,
  io: Io,
  changes: readonly Change[],
): Promise<readonly MadeKey[]> {
  const made: MadeKey[] = [];
  for (const [index, change] of changes.entries()) {
    try {
      const key = await makeChange(client, change, options.reason);
      if (key === undefined) continue;
      made.push(key);
      // At once: whatever happens to the next change, this text is nowhere else.
      if (options.output === 'table') io.stdout.write(`key ${key.name} of tenant ${key.tenantId}: ${key.key}\n`);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      if (options.output === 'json') printJson(io, toJson(changes.slice(0, index), made));
      throw new CliError(describeStop(error, changes, index), error.exitCode);
    }
  }
  if (made.length > 0) io.stderr.write('Keep the keys: they cannot be shown again.\n');
  if (changes.length > 0) io.stderr.write(`Done: ${changes.length} ${changes.length === 1 ? 'change' : 'changes'}.\n`);
  return made;
}

function describeStop(error: CliError, changes: readonly Change[], index: number): string {
  const list = (some: readonly Change[]) => some.map((change) => `\n  ${headOf(change)}`).join('') || ' nothing';
  const [stopped, ...rest] = changes.slice(index);
  return (
    `${stopped ? headOf(stopped) : ''}: ${error.message}\n` +
    `Done:${list(changes.slice(0, index))}\n` +
    `Not done:${list(stopped ? [stopped, ...rest] : rest)}\n` +
    'The same command goes on from what is there now, and shows it first.'
  );
}

function toJson(changes: readonly Change[], keys: readonly MadeKey[]): unknown {
  return {
    changes: changes.map((change) => ({
      op: change.op,
      kind: change.kind,
      id: change.value.id,
      ...(change.kind === 'key' ? { tenantId: change.value.tenantId, name: change.value.name } : {}),
      ...(change.op === 'create' ? {} : { before: change.before }),
      ...(change.op === 'delete' ? {} : { after: change.after }),
    })),
    keys,
  };
}
