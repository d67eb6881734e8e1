import type { Io } from './io.ts';

/**
 * Under `npm start` one Ctrl-C arrives twice: from the terminal, which signals every process in the foreground, and from
 * npm, which passes it on. What follows within this time (ms) is the same signal.
 */
const SAME_SIGNAL_MS = 500;

export interface StopSignals {
  /** Resolves at the first signal. */
  readonly first: Promise<void>;
  /** Stops listening. */
  close(): void;
}

/**
 * Listens for signals from here on. The first one asks for a graceful stop; a second ends the process at once, with the
 * exit code that shells give an interrupted one.
 */
export function listenForStop(io: Io): StopSignals {
  const { promise, resolve } = Promise.withResolvers<void>();
  let firstAt: number | undefined;
  const close = io.onStopSignal(() => {
    if (firstAt === undefined) {
      firstAt = io.now();
      resolve();
    } else if (io.now() - firstAt > SAME_SIGNAL_MS) {
      io.exit(130);
    }
  });
  return { first: promise, close };
}
