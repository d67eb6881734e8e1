import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';

const PLATFORMS: Readonly<Record<string, string>> = {
  'darwin arm64': 'buf-darwin-arm64/bin/buf',
  'darwin x64': 'buf-darwin-x64/bin/buf',
  'linux arm': 'buf-linux-armv7/bin/buf',
  'linux arm64': 'buf-linux-aarch64/bin/buf',
  'linux x64': 'buf-linux-x64/bin/buf',
  'win32 arm64': 'buf-win32-arm64/bin/buf.exe',
  'win32 x64': 'buf-win32-x64/bin/buf.exe',
};

/**
 * The buf binary that npm installed for this machine. The launcher script of @bufbuild/buf would start a second Node.
 *
 * @throws Error that says what to do when there is none.
 */
export function bufBinary(): string {
  const name = PLATFORMS[`${platform()} ${arch()}`];
  if (name === undefined) {
    throw new Error(
      `buf has no binary for ${platform()} ${arch()}: name the contract by "descriptor_set" instead of "protos"`,
    );
  }
  try {
    // It is a dependency of @bufbuild/buf, so it is resolved from there.
    const launcher = createRequire(import.meta.url).resolve('@bufbuild/buf/package.json');
    return createRequire(launcher).resolve(`@bufbuild/${name}`);
  } catch (cause) {
    throw new Error('buf is not installed: run npm install without --omit=optional', { cause });
  }
}

export interface BufResult {
  /** undefined when it was killed or could not be started. */
  readonly code: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT = 256 * 1024 * 1024;

/** Runs buf in `cwd`. It gets nothing of our environment and keeps its cache below `cwd`: same input, same result. */
export function runBuf(args: readonly string[], cwd: string): Promise<BufResult> {
  const options = {
    cwd,
    env: { HOME: cwd, BUF_CACHE_DIR: `${cwd}/.cache` },
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT,
    encoding: 'buffer' as const,
  };
  return new Promise((resolve) => {
    execFile(bufBinary(), [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined;
      const text = stderr.toString('utf8');
      resolve({ code, stdout, stderr: code === undefined && text === '' ? (error?.message ?? '') : text });
    });
  });
}
