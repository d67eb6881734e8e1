import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { processTree } from './cpu.ts';

/** A program that runs beside the benchmark. */
export interface Service {
  readonly name: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** The last lines that it wrote. */
  log(): string;
}

export interface ServiceOptions {
  readonly ipc?: boolean;
  /** Set beside the benchmark's own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What the benchmark has started: all of it ends with `endAll`, by pid. */
export class Children {
  readonly #folder: string;
  readonly #running = new Set<ChildProcess>();
  #ending = false;

  /** Output of services goes to files in `folder`. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** True once `endAll` was called: failures are then of its making. */
  get ending(): boolean {
    return this.#ending;
  }

  /** Starts a program that is ended by `endAll` if it does not end itself. @throws Error once all is to end */
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    if (this.#ending) throw new Error('the benchmark ends');
    const child = spawn(command, args, options);
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    // Not started, or a message that could not be sent: whoever waits for it learns by its end.
    child.on('error', () => {
      if (child.pid === undefined) this.#running.delete(child);
    });
    return child;
  }

  /** Starts a service, with an IPC channel if it is a program of Node.js that wants one. @throws Error when there is no such program */
  start(name: string, command: string, args: readonly string[], options: ServiceOptions = {}): Service {
    const path = join(this.#folder, `${name}.log`);
    const log = openSync(path, 'w');
    const ipc = options.ipc === true ? (['ipc'] as const) : [];
    const env = { ...process.env, ...options.env };
    const child = this.spawn(command, args, { env, stdio: ['ignore', log, log, ...ipc] });
    closeSync(log);
    if (child.pid === undefined) throw new Error(`${name}: ${command} could not be started`);
    const tail = () => readFileSync(path, 'utf8').split('\n').slice(-15).join('\n');
    return { name, pid: child.pid, child, log: tail };
  }

  /** Ends one and its descendants: SIGTERM, and SIGKILL for what is left after two seconds. */
  async end(child: ChildProcess): Promise<void> {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const pids = processTree(child.pid);
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    await Promise.race([ended, delay(2000, undefined, { ref: false })]);
    for (const pid of pids) kill(pid);
  }

  /** Ends all that runs; nothing more can be started. */
  async endAll(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#running].map((child) => this.end(child)));
  }

  /** For an exit that cannot wait. */
  killAll(): void {
    for (const child of this.#running) {
      if (child.pid !== undefined) for (const pid of processTree(child.pid)) kill(pid);
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** Distinct ports of 127.0.0.1 that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Waits until the service accepts connections. @throws Error with its output, when it has ended or does not within 20 s. */
export async function accepting(service: Service, port: number): Promise<void> {
  const until = performance.now() + 20_000;
  while (performance.now() < until && service.child.exitCode === null) {
    if (await connects(port)) return;
    await delay(50);
  }
  throw new Error(`${service.name} does not answer on port ${port}\n${service.log()}`);
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/**
 * Does work with programs beside it, and a folder of its own for what they write. Whatever ends this process, nothing that was
 * started stays.
 */
export async function withChildren<T>(
  name: string,
  work: (children: Children, folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), `tollgate-${name}-`));
  const children = new Children(folder);
  process.once('exit', () => {
    children.killAll();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void children.endAll().finally(() => process.exit(130)));
  }
  try {
    return await work(children, folder);
  } finally {
    await children.endAll();
  }
}
