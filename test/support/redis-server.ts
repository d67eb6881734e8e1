import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';

const run = promisify(execFile);
const READY = /Ready to accept connections|monitor master/;
const MAX_OUTPUT = 20_000;

/** Moves the clock of a program that is started with it (Debian: `faketime`); undefined where it is not installed. */
const FAKETIME = findFaketime();

/** Whether there is what moves the clock of a Redis. */
export const CLOCKS_CAN_BE_MOVED: boolean = FAKETIME !== undefined;

export interface RedisServerOptions {
  /** Lines of the configuration file beside those that every server here has: `{ maxmemory: '3mb' }`. */
  readonly config?: Readonly<Record<string, string>>;
  /** A free one when absent. */
  readonly port?: number;
  /** Keeps what was acknowledged over a kill (AOF, fsync always). */
  readonly durable?: boolean;
  /** With a clock that `moveClock` moves, where that is possible. */
  readonly movableClock?: boolean;
  /** As a Sentinel: `config` is its whole file. */
  readonly sentinel?: boolean;
}

/** A real Redis in a folder of its own on 127.0.0.1. Always end it with `stop`. */
export class RedisServer {
  readonly port: number;
  readonly folder: string;
  readonly #arguments: readonly string[];
  readonly #movableClock: boolean;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(port: number, folder: string, args: readonly string[], movableClock: boolean) {
    this.port = port;
    this.folder = folder;
    this.#arguments = args;
    this.#movableClock = movableClock;
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    // Another process may take a port that was free a moment ago.
    for (let attempt = 1; ; attempt++) {
      const port = options.port ?? (await freePort());
      const folder = await mkdtemp(join(tmpdir(), 'tollgate-redis-'));
      const file = join(folder, 'redis.conf');
      await writeFile(file, configFile(port, folder, options));
      const server = new RedisServer(
        port,
        folder,
        options.sentinel ? [file, '--sentinel'] : [file],
        options.movableClock === true,
      );
      try {
        if (options.movableClock) await server.moveClock(0);
        await server.restart();
        return server;
      } catch (error) {
        await server.stop();
        if (attempt === 5 || options.port !== undefined || !/Address already in use|bind/.test(String(error)))
          throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get node(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.port };
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the server does not run');
    return pid;
  }

  /** Starts it (again) on the same port and files. Resolves when it takes commands. */
  async restart(): Promise<void> {
    await this.#end('SIGKILL');
    this.#output = '';
    const env = this.#movableClock ? { ...process.env, ...this.#clockEnv() } : process.env;
    const child = spawn('redis-server', this.#arguments, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once('error', () => reject(new Error('redis-server is missing: apt-get install -y redis-server')));
    child.once('exit', (code) => reject(new Error(`redis-server exited with ${code}: ${this.#output}`)));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface(stream).on('line', (line) => {
        this.#output = `${this.#output}${line}\n`.slice(-MAX_OUTPUT);
        if (READY.test(line)) resolve();
      });
    }
    await promise;
  }

  /** Starts it without what it held. */
  async restartEmpty(): Promise<void> {
    await this.#end('SIGKILL');
    await rm(join(this.folder, 'appendonlydir'), { recursive: true, force: true });
    await rm(join(this.folder, 'dump.rdb'), { force: true });
    await this.restart();
  }

  /** SIGSTOP freezes it, SIGCONT wakes it. Does not wait. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.pid, signal);
  }

  /** The server's clock is so many seconds ahead of the machine's from now on; negative ones behind. It has to be movable. */
  async moveClock(seconds: number): Promise<void> {
    // Renamed into place: the server reads the file at each look at its clock.
    const file = join(this.folder, 'clock');
    await writeFile(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}s`);
    await rename(`${file}.new`, file);
  }

  #clockEnv(): Record<string, string> {
    if (FAKETIME === undefined) throw new Error('libfaketime is missing: apt-get install -y faketime');
    return {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: join(this.folder, 'clock'),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** Ends the process; `restart` brings it back. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Sends a command over a connection of its own. */
  async command(...words: [string, ...(string | number)[]]): Promise<unknown> {
    const client = new Redis({ ...this.node, lazyConnect: true, disableClientInfo: true, retryStrategy: null });
    try {
      await client.connect();
      const [name, ...rest] = words;
      return await client.call(name, rest);
    } finally {
      client.disconnect();
    }
  }

  /** Ends it and deletes its folder. */
  async stop(): Promise<void> {
    await this.#end('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
}

export function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  return RedisServer.start(options);
}

export interface RedisCluster {
  readonly masters: readonly RedisServer[];
  readonly nodes: readonly { host: string; port: number }[];
  stop(): Promise<void>;
}

/** Three masters that share the slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const masters: RedisServer[] = [];
  const stop = async () => void (await Promise.all(masters.map((master) => master.stop())));
  try {
    while (masters.length < 3) {
      const port = await freePort();
      // The cluster's bus has a port of its own, by default 10,000 above: there may be none.
      const bus = String(await freePort());
      const config = { 'cluster-enabled': 'yes', 'cluster-port': bus, 'cluster-node-timeout': '2000' };
      masters.push(await startRedis({ port, config }));
    }
    const nodes = masters.map(({ node }) => node);
    const addresses = nodes.map(({ host, port }) => `${host}:${port}`);
    await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes']);
    await Promise.all(masters.map(clusterIsUp));
    return { masters, nodes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function clusterIsUp(server: RedisServer): Promise<void> {
  for (;;) {
    const info = String(await server.command('CLUSTER', 'INFO'));
    if (info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export interface RedisFailover {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly { host: string; port: number }[];
  readonly masterName: string;
  /** Makes the Sentinel promote the replica, and waits until it is the master. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

/** A master, a replica, and a Sentinel that watches them. */
export async function startSentinel(): Promise<RedisFailover> {
  const servers: RedisServer[] = [];
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())));
  try {
    const master = await startRedis();
    servers.push(master);
    const replica = await startRedis({ config: { replicaof: `127.0.0.1 ${master.port}` } });
    servers.push(replica);
    await until(async () => String(await replica.command('INFO', 'replication')).includes('master_link_status:up'));
    const sentinel = await startRedis({
      sentinel: true,
      config: {
        'sentinel monitor': `main 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds': 'main 500',
        'sentinel failover-timeout': 'main 2000',
      },
    });
    servers.push(sentinel);
    await until(async () =>
      JSON.stringify(await sentinel.command('SENTINEL', 'replicas', 'main')).includes('127.0.0.1'),
    );
    // The Sentinel ends the connections of a server whose role it changes, ours among them.
    const isMaster = async () =>
      String(await replica.command('INFO', 'replication').catch(() => '')).includes('role:master');
    return {
      master,
      replica,
      sentinels: [sentinel.node],
      masterName: 'main',
      async failOver() {
        await until(async () => (await sentinel.command('SENTINEL', 'failover', 'main').catch(() => '')) === 'OK');
        await until(isMaster);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Asks again and again: other processes tell nobody when they are ready. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

function configFile(port: number, folder: string, options: RedisServerOptions): string {
  const lines: Record<string, string> = {
    port: String(port),
    bind: '127.0.0.1',
    dir: folder,
    ...(options.sentinel
      ? {}
      : {
          save: '""',
          appendonly: options.durable ? 'yes' : 'no',
          appendfsync: options.durable ? 'always' : 'everysec',
          'repl-diskless-sync-delay': '0',
        }),
    ...options.config,
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}

function findFaketime(): string | undefined {
  const libraries = '/usr/lib';
  if (!existsSync(libraries)) return undefined;
  for (const folder of readdirSync(libraries)) {
    // jemalloc asks for the time before libfaketime can tell it: glibc's own allocator goes before it.
    const files = ['libc_malloc_debug.so.0', join('faketime', 'libfaketimeMT.so.1')].map((file) =>
      join(libraries, folder, file),
    );
    if (files.every((file) => existsSync(file))) return files.join(':');
  }
  return undefined;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
