import { readFileSync } from 'node:fs';

/**
 * For how long a process wanted to run and had no processor, since it began: milliseconds of its main thread (Linux: `schedstat`; 0
 * elsewhere). What a test asks of a program it asks of the time in which the machine let it run.
 */
export function waitedMs(pid: number): number {
  try {
    const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    return Number(waitedNs) / 1e6;
  } catch {
    return 0;
  }
}
