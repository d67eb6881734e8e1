import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { runBuf } from './buf.ts';
import type { Complaint } from './complaint.ts';
import { packagePath } from './package-root.ts';

/** What users' protos may import without having it: paths below our `proto/`. */
const LIBRARY = ['tollgate/policy', 'buf/validate', 'google/rpc'];

/** More files than this are a wrong folder (a home directory, say), not a contract. */
const MAX_FILES = 5_000;

const BUF_YAML = 'version: v2\nmodules:\n  - path: user\n  - path: library\n';

/** Compiling failed; `complaints` has the places, with file names below the folder as the caller named it. */
export class CompileError extends Error {
  readonly complaints: readonly Complaint[];

  constructor(complaints: readonly Complaint[]) {
    super(complaints.map((complaint) => complaint.message).join('\n'));
    this.name = 'CompileError';
    this.complaints = complaints;
  }
}

/**
 * Compiles a folder of `.proto` files, wherever it lies, into a binary FileDescriptorSet with imports.
 *
 * The files are copied into a workspace of their own beside the protos that we ship, so a `buf.yaml` of the user's is
 * neither needed nor obeyed, and `import "tollgate/policy/v1/policy.proto"` works. A file that the folder has itself wins
 * over ours.
 *
 * @param folder absolute path of the import root.
 * @param shown the folder as complaints name it.
 * @throws CompileError
 */
export async function compileProtos(folder: string, shown: string): Promise<Uint8Array> {
  const files = await listProtos(folder, shown);
  const work = await mkdtemp(join(tmpdir(), 'tollgate-protos-'));
  try {
    await copyFiles(folder, join(work, 'user'), files);
    const library = packagePath('proto');
    const ours = (await protosBelow(library)).filter((file) => LIBRARY.some((prefix) => file.startsWith(`${prefix}/`)));
    const taken = new Set(files);
    const missing = ours.filter((file) => !taken.has(file));
    await copyFiles(library, join(work, 'library'), missing);
    // buf refuses a module without files.
    await writeFile(
      join(work, 'buf.yaml'),
      missing.length > 0 ? BUF_YAML : BUF_YAML.replace('  - path: library\n', ''),
    );
    const result = await runBuf(
      [
        'build',
        'user',
        '--as-file-descriptor-set',
        '--exclude-source-info',
        '--error-format',
        'json',
        '-o',
        '-#format=binpb',
      ],
      work,
    );
    if (result.code !== 0) throw new CompileError(parseErrors(result.stderr, shown));
    return result.stdout;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function listProtos(folder: string, shown: string): Promise<string[]> {
  let files: string[];
  try {
    files = await protosBelow(folder);
  } catch (error) {
    throw new CompileError([
      whole(shown, `cannot read the folder (${error instanceof Error ? error.message : error})`),
    ]);
  }
  if (files.length === 0) {
    throw new CompileError([
      whole(shown, 'there are no .proto files in the folder', 'name the folder that imports are relative to'),
    ]);
  }
  if (files.length > MAX_FILES) {
    throw new CompileError([
      whole(shown, `there are ${files.length} .proto files, more than ${MAX_FILES}`, 'name a folder with one contract'),
    ]);
  }
  return files;
}

/** Paths of `.proto` files below a folder, with `/`, sorted; dependencies that lie there by accident are left out. */
async function protosBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => name.endsWith('.proto') && !name.split(sep).includes('node_modules'))
    .map((name) => name.replaceAll(sep, '/'))
    .sort();
}

async function copyFiles(from: string, to: string, files: readonly string[]): Promise<void> {
  for (const folder of new Set(files.map((file) => dirname(join(to, file))))) await mkdir(folder, { recursive: true });
  await Promise.all(files.map((file) => cp(join(from, file), join(to, file), { dereference: true })));
}

/** One JSON object a line (`--error-format json`); anything else is passed on as it is. */
function parseErrors(stderr: string, shown: string): Complaint[] {
  const complaints: Complaint[] = [];
  for (const line of stderr.split('\n')) {
    if (line.trim() === '') continue;
    complaints.push(parseError(line, shown));
  }
  return complaints.length > 0 ? complaints : [whole(shown, 'buf failed without saying why')];
}

function parseError(line: string, shown: string): Complaint {
  let error: unknown;
  try {
    error = JSON.parse(line);
  } catch {
    return whole(shown, line.replace(/^Failure: /, ''));
  }
  if (typeof error !== 'object' || error === null || !('message' in error)) return whole(shown, line);
  const path = 'path' in error && typeof error.path === 'string' ? error.path : '';
  const message = String(error.message);
  return {
    file: path === '' ? shown : join(shown, path.replace(/^(user|library)\//, '')),
    line: 'start_line' in error && typeof error.start_line === 'number' ? error.start_line : undefined,
    column: 'start_column' in error && typeof error.start_column === 'number' ? error.start_column : undefined,
    message,
    hint: message.includes('imported file does not exist')
      ? "imports are relative to the contract's folder; tollgate/policy, buf/validate, google/rpc and google/protobuf are there anyway"
      : undefined,
  };
}

function whole(file: string, message: string, hint?: string): Complaint {
  return { file, line: undefined, column: undefined, message, hint };
}
