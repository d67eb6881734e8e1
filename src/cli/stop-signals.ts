import type { Io } from './io.ts';

/**
 * Under `npm start` one Ctrl-C arrives twice: from the terminal, which signals every process in the foreground, and from
 * npm, which passes it on. What follows within this time (ms) is the same signal.
 */
const SAME_SIGNAL_MS = 500;

/**
 * Waits for a signal, then for `drain`. A second signal ends the process at once, with the exit code that shells give an
 * interrupted one.
 */
export function waitForStop(io: Io, drain: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let firstAt: number | undefined;
    const unsubscribe = io.onStopSignal(() => {
      if (firstAt === undefined) {
        firstAt = io.now();
        drain().then(resolve, reject).finally(unsubscribe);
      } else if (io.now() - firstAt > SAME_SIGNAL_MS) {
        io.exit(130);
      }
    });
  });
}
