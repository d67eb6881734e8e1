import { cpus, release, totalmem, type } from 'node:os';

/** One line on the machine that was measured on. */
export function describeMachine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpu?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores, ${memory} GiB, ${type()} ${release()}, Node.js ${process.versions.node}`;
}
