#!/usr/bin/env node
import { createInterface } from 'node:readline/promises';
import { text } from 'node:stream/consumers';
import type { Io } from './io.ts';

const OLDEST_NODE = 22;

/** The process as commands see it. */
function processIo(): Io {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    colours: process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
    ask: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
    readInput: () => text(process.stdin),
    env: process.env,
    cwd: process.cwd(),
    now: () => Date.now(),
    onStopSignal(listener) {
      process.on('SIGINT', listener).on('SIGTERM', listener);
      return () => void process.off('SIGINT', listener).off('SIGTERM', listener);
    },
    onReloadSignal(listener) {
      process.on('SIGHUP', listener);
      return () => void process.off('SIGHUP', listener);
    },
    memory: { rss: () => process.memoryUsage.rss(), constrained: () => process.constrainedMemory() },
    terminal: terminalOf(process.stdin, process.stdout),
    exit: (code) => process.exit(code),
  };
}

function terminalOf(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Io['terminal'] {
  if (!input.isTTY || !output.isTTY) return undefined;
  return {
    size: () => ({ columns: output.columns, rows: output.rows }),
    onKey(listener) {
      const onData = (data: Buffer) => listener(data.toString());
      input.setRawMode(true).on('data', onData).resume();
      return () => void input.off('data', onData).pause().setRawMode(false);
    },
  };
}

/** On stderr: what a command prints may go into a file. */
async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-D is no answer.
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}

/** A reader that went away (`tollgate tenants list | head`, a log collector that died) is no reason to die, too. */
function ignoreClosedPipe(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE') throw error;
}

async function main(): Promise<void> {
  process.stdout.on('error', ignoreClosedPipe);
  process.stderr.on('error', ignoreClosedPipe);
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    process.stderr.write(
      `error: tollgate needs Node 24, and this is ${process.version}. Install Node 24, or let npm run it:\n` +
        `  npx -y node@24 ${process.argv.slice(1).join(' ')}\n`,
    );
    process.exitCode = 1;
    return;
  }
  // What grpc-js would print itself reaches us as errors too, and is told in our words.
  process.env.GRPC_VERBOSITY ??= 'NONE';
  // What a library's use of Node will one day have to change is nothing that a user could do something about.
  process.noDeprecation = true;
  // Imported only now: on an older Node the modules would not even load.
  const { run } = await import('./program.ts');
  process.exitCode = await run(process.argv.slice(2), processIo());
}

await main();
