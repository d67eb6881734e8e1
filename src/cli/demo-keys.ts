import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mintKey } from '../tenants/key-text.ts';

/** The demo tenants of the example's configuration, and the variables from which it takes their keys. */
const DEMO_KEYS = [
  { variable: 'TOLLGATE_DEMO_KEY', file: 'demo.key' },
  { variable: 'TOLLGATE_DEMO_SMALL_KEY', file: 'demo-small.key' },
] as const;

export interface DemoKeys {
  /** For the configuration's `from_env`. */
  readonly env: Readonly<Record<string, string>>;
  /** The demo tenant's key. */
  readonly key: string;
  /** Where it is kept. */
  readonly path: string;
}

/** Gives so many unpredictable bytes. */
type Random = (bytes: number) => Uint8Array;

/**
 * The demo tenants' keys: from the environment, else from files in `folder`, else minted and written there (mode 0600).
 * The store keeps only a key's SHA-256, so a demo that can print its key again has to keep it elsewhere. No real key
 * should live like that.
 */
export function readDemoKeys(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
  random: Random,
): DemoKeys {
  mkdirSync(folder, { recursive: true });
  const keys = DEMO_KEYS.map(
    ({ variable, file }) => [variable, env[variable] ?? readOrMint(join(folder, file), random)] as const,
  );
  return { env: Object.fromEntries(keys), key: keys[0]![1], path: join(folder, DEMO_KEYS[0].file) };
}

function readOrMint(path: string, random: Random): string {
  const kept = readIfThere(path)?.trim();
  if (kept) return kept;
  const { text } = mintKey('laptop', random);
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  // The mode above holds for new files only.
  chmodSync(path, 0o600);
  return text;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
