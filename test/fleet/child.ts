import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A helper program beside this file that answers each message with one: first with its ports, then as it is asked. */
export class Child<Request, Reply> {
  readonly ports: readonly number[];
  readonly #child: ChildProcess;
  /** One question at a time: replies have no names. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess, ports: readonly number[]) {
    this.#child = child;
    this.ports = ports;
  }

  static async start<Request, Reply>(file: string, args: readonly number[]): Promise<Child<Request, Reply>> {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const child = fork(path, args.map(String), { serialization: 'advanced', execArgv: [] });
    const { ports } = (await replyOf(child)) as { ports: readonly number[] };
    return new Child(child, ports);
  }

  ask(request: Request): Promise<Reply> {
    const reply = this.#last.then(() => {
      const answer = replyOf(this.#child);
      this.#child.send(request as object);
      return answer as Promise<Reply>;
    });
    this.#last = reply.catch(() => undefined);
    return reply;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

async function replyOf(child: ChildProcess): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const onExit = (code: number | null) => reject(new Error(`${child.spawnfile} exited with ${code}`));
  child.once('exit', onExit);
  child.once('message', resolve);
  try {
    return await promise;
  } finally {
    child.off('exit', onExit);
  }
}
