import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';

export interface FakeIo extends Io {
  /** Everything written so far. */
  readonly out: () => string;
  readonly err: () => string;
  readonly exits: number[];
  /** As if the user had pressed Ctrl-C. */
  signal(): void;
  /** Milliseconds to add to the time. */
  advance(ms: number): void;
}

/** The outside of a command, without a process. */
export function createFakeIo(env: Record<string, string> = {}, now = Date.now): FakeIo {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const listeners = new Set<() => void>();
  const reloads = new Set<() => void>();
  const exits: number[] = [];
  let ahead = 0;
  return {
    stdout: { write: (text) => void stdout.push(text) },
    stderr: { write: (text) => void stderr.push(text) },
    colours: false,
    ask: undefined,
    readInput: async () => '',
    env,
    cwd: '/nowhere',
    now: () => now() + ahead,
    onStopSignal(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onReloadSignal(listener) {
      reloads.add(listener);
      return () => void reloads.delete(listener);
    },
    memory: { rss: () => 0, constrained: () => 0 },
    exit: (code) => void exits.push(code),
    out: () => stdout.join(''),
    err: () => stderr.join(''),
    exits,
    signal: () => {
      for (const listener of listeners) listener();
    },
    advance: (ms) => {
      ahead += ms;
    },
  };
}

/** Runs a command line to its end. @param more what else is different about the terminal */
export async function runCli(
  args: readonly string[],
  env: Record<string, string> = {},
  cwd = '/nowhere',
  more: Partial<Pick<Io, 'colours' | 'ask' | 'readInput'>> = {},
) {
  const io = { ...createFakeIo(env), cwd, ...more };
  const code = await run(args, io);
  return { code, out: io.out(), err: io.err() };
}
