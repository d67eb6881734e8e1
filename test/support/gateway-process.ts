import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Config } from '../../generated/tollgate/config/v1/config.ts';
import { type TestConfig, type TestConfigOptions, testConfig } from './test-config.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
/** Not only at the begin of a line: what V8 traces (`--trace-deopt`) is printed in pieces, and may stand before it. */
const READY = /\bready (?=.*127\.0\.0\.1:)/;
const ADDRESS = /([a-z][a-z0-9-]*)[\s=:]+(?:https?:\/\/)?127\.0\.0\.1:(\d+)/g;

export interface LaunchOptions {
  /** Of `tollgate serve`, beside the configuration. */
  readonly args?: readonly string[];
  /** Of Node. */
  readonly execArgv?: readonly string[];
  /** Beside what the configuration needs, and before it. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the process sends by `process.send`; it has such a channel only when this is given. */
  readonly onMessage?: (message: unknown) => void;
}

/** A gateway in a process of its own: it can be killed, started again on the same store, and its memory can be read. */
export class GatewayProcess {
  readonly config: TestConfig;
  readonly folder: string;
  #child: ChildProcess | undefined;
  #ports = new Map<string, number>();
  #output = '';

  readonly #launch: LaunchOptions;

  private constructor(config: TestConfig, folder: string, launch: LaunchOptions) {
    this.#launch = launch;
    this.config = config;
    this.folder = folder;
  }

  /** Writes the configuration to a new folder, and starts the gateway. */
  static async start(options: TestConfigOptions, launch: LaunchOptions = {}): Promise<GatewayProcess> {
    const config = testConfig(options);
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-process-'));
    // JSON is YAML, and the file is read through the JSON mapping of the same message.
    await writeFile(join(folder, 'tollgate.yaml'), JSON.stringify(Config.toJSON(config.config), undefined, 2));
    const gateway = new GatewayProcess(config, folder, launch);
    await gateway.start();
    return gateway;
  }

  /** What it printed, on both streams, since its last start. */
  get output(): string {
    return this.#output;
  }

  get public(): number {
    return this.port('public');
  }

  get admin(): number {
    return this.port('admin');
  }

  /** @throws when there is no listener of this name */
  port(listener: string): number {
    const port = this.#ports.get(listener);
    if (port === undefined) throw new Error(`no listener ${listener} in: ${this.#output}`);
    return port;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the gateway does not run');
    return pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts (again) on the same configuration and store; resolves when it is ready. */
  async start(): Promise<void> {
    this.#output = '';
    const { args = [], execArgv = [] } = this.#launch;
    const child = spawn(
      process.execPath,
      [...execArgv, MAIN, 'serve', '--config', join(this.folder, 'tollgate.yaml'), ...args],
      {
        cwd: this.folder,
        env: { PATH: process.env.PATH, ...this.config.env, ...this.#launch.env },
        stdio: ['ignore', 'pipe', 'pipe', ...(this.#launch.onMessage ? (['ipc'] as const) : [])],
      },
    );
    if (this.#launch.onMessage) child.on('message', this.#launch.onMessage);
    this.#child = child;
    const { stdout, stderr } = child;
    if (!stdout || !stderr) throw new Error('no pipes');
    stderr.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-100_000);
    });
    const ready = new Promise<string>((resolve, reject) => {
      createInterface(stdout).on('line', (line) => {
        this.#output += `${line}\n`;
        const ready = READY.exec(line);
        if (ready !== null) resolve(line.slice(ready.index));
      });
      child.once('exit', (code) => reject(new Error(`the gateway exited with ${code}: ${this.#output}`)));
    });
    const line = await ready;
    this.#ports = new Map([...line.matchAll(ADDRESS)].map(([, name, port]) => [name ?? '', Number(port)]));
  }

  /** Sends a message to a process that has a channel. */
  send(message: string): void {
    this.#child?.send(message);
  }

  /** Sends the signal, and does not wait. */
  signal(signal: 'SIGTERM' | 'SIGHUP' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** Resolves with the exit code when the process has ended. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child && this.running) await once(child, 'exit');
    return child?.exitCode ?? null;
  }

  /** Sends the signal and waits for the end. @returns the exit code; null when the signal ended it */
  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<number | null> {
    const child = this.#child;
    if (!child || !this.running) return child?.exitCode ?? null;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
    return child.exitCode;
  }

  /** Resident memory now, in MiB (Linux). */
  residentMiB(): number {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    return Number(match?.[1]) / 1024;
  }

  /** Forgets the peak so far (Linux). */
  resetPeak(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, '5');
  }

  /** The most resident memory it ever had, or since `resetPeak`, in MiB (Linux). */
  peakMiB(): number {
    const match = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    return Number(match?.[1]) / 1024;
  }

  /** Kills it and deletes its folder. */
  async dispose(): Promise<void> {
    await this.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}
