import { once } from 'node:events';
import { join } from 'node:path';
import type { Children } from './children.ts';

/** The echo backend as the benchmark sees it. */
export interface EchoBackend {
  readonly pid: number;
  readonly port: number;
  /** Requests that it has answered so far. */
  answered(): Promise<number>;
}

/** Starts the echo backend on a free port. */
export async function startBackend(children: Children): Promise<EchoBackend> {
  const program = join(import.meta.dirname, 'backend.ts');
  const { child, pid, log } = children.start('backend', process.execPath, [program], { ipc: true });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the backend has ended\n${log()}`);
  });
  ended.catch(() => undefined);
  const message = async (field: 'port' | 'answered'): Promise<number> => {
    const [received] = (await Promise.race([once(child, 'message'), ended])) as [Readonly<Record<string, unknown>>];
    const value = received[field];
    if (typeof value !== 'number') throw new Error(`the backend told no ${field}`);
    return value;
  };
  const port = await message('port');
  return {
    pid,
    port,
    answered() {
      child.send('answered?');
      return message('answered');
    },
  };
}
