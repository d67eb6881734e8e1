import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../src');
const STAGES = ['auth', 'ratelimit', 'quota', 'routing', 'breaker'];
/** What a folder may import of ours; a folder that is not here may import anything but what stands above it. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  http2: [],
  grpc: ['generated'],
  net: [],
  chain: ['grpc', 'contracts', 'sync', 'generated'],
  contracts: ['grpc', 'config', 'generated'],
  store: ['generated'],
  ...Object.fromEntries(
    STAGES.map((stage) => [
      stage,
      ['chain', 'grpc', 'contracts', 'sync', 'store', 'tenants', 'http2', 'net', 'generated'],
    ]),
  ),
};

interface Import {
  readonly from: string;
  readonly fromFolder: string;
  readonly to: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)[^'"]*?from '(\.[^']+)'/gms)].map(([, target]) => {
    const path = relative(SRC, resolve(SRC, dirname(file), target!));
    const to = path.startsWith('..') ? path.split('/')[1]! : path.split('/')[0]!;
    return { from: file, fromFolder: file.split('/')[0]!, to };
  });
});

test('imports point one way: a folder imports only what stands below it, and a stage never another stage', () => {
  const wrong = imports.filter(({ fromFolder, to }) => {
    const allowed = ALLOWED[fromFolder];
    return to !== fromFolder && allowed !== undefined && !allowed.includes(to);
  });
  expect(wrong).toEqual([]);
});

test('only the command line imports the gateway, and nothing imports the command line', () => {
  const wrong = imports.filter(
    ({ fromFolder, to }) => (to === 'gateway.ts' && fromFolder !== 'cli') || (to === 'cli' && fromFolder !== 'cli'),
  );
  expect(wrong).toEqual([]);
});

test('process is touched in src/cli only', () => {
  const wrong = files.filter(
    (file) => !file.startsWith('cli/') && /(?<![\w.'"`/-])process\.\w/.test(readFileSync(join(SRC, file), 'utf8')),
  );
  expect(wrong).toEqual([]);
});
