import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// Generates TypeScript stubs (ts-proto) and descriptor sets (buf) from the protos: `npm run generate`.
// With a folder as argument everything is written below that folder instead; the test that nothing changed uses it.

const root = fileURLToPath(new URL('..', import.meta.url));
const buf = join(root, 'node_modules/.bin/buf');

interface Target {
  /** A module of buf.yaml. */
  readonly module: string;
  /** Where its stubs go; wiped first. */
  readonly out: string;
  /** Globs (in the output) of the stubs that are wanted for themselves; others stay only if one of these imports them. */
  readonly roots: readonly string[];
  /** Also write a FileDescriptorSet of this name into `out`. */
  readonly descriptorSet: string | undefined;
}

const targets: readonly Target[] = [
  {
    module: 'proto',
    out: 'generated',
    roots: ['tollgate/**/*.ts', 'grpc/**/*.ts', 'google/rpc/*.ts'],
    descriptorSet: 'tollgate.binpb',
  },
  {
    module: 'examples/bookstore/proto',
    out: 'examples/bookstore/generated',
    roots: ['bookstore/**/*.ts'],
    descriptorSet: undefined,
  },
];

/** Stubs of a client with a method `getChannel`, which grpc-js' own clients have, too: only its messages and its server are of use. */
const UNCHECKED: ReadonlySet<string> = new Set(['grpc/channelz/v1/channelz.ts']);

function prepend(path: string, line: string): void {
  writeFileSync(path, line + readFileSync(path, 'utf8'));
}

/** The files of `folder` that `roots` name or reach through relative imports. */
function reachable(folder: string, roots: readonly string[]): Set<string> {
  const found = new Set<string>();
  const queue = globSync([...roots], { cwd: folder });
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    const text = readFileSync(join(folder, file), 'utf8');
    for (const match of text.matchAll(/from "(\.[^"]+)"/g)) queue.push(join(dirname(file), match[1] ?? ''));
  }
  return found;
}

function generate(target: Target, base: string): void {
  const work = mkdtempSync(join(tmpdir(), 'tollgate-generate-'));
  try {
    const run = (...args: string[]) => execFileSync(buf, args, { cwd: root, stdio: 'inherit' });
    run('generate', target.module, '-o', work);
    const out = join(base, target.out);
    rmSync(out, { recursive: true, force: true });
    for (const file of reachable(work, target.roots)) {
      mkdirSync(dirname(join(out, file)), { recursive: true });
      cpSync(join(work, file), join(out, file));
      if (UNCHECKED.has(file)) prepend(join(out, file), '// @ts-nocheck\n');
    }
    if (target.descriptorSet !== undefined) {
      const path = join(out, target.descriptorSet);
      run('build', target.module, '--as-file-descriptor-set', '--exclude-source-info', '-o', path);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const base = resolve(process.argv[2] ?? root);
for (const target of targets) {
  if (globSync('**/*.proto', { cwd: join(root, target.module) }).length > 0) generate(target, base);
}
