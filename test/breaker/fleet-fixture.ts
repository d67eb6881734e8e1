import { setTimeout as delay } from 'node:timers/promises';
import { FleetBreakers } from '../../src/breaker/breaker-admin.ts';
import type { Permit } from '../../src/breaker/circuit-breaker.ts';
import type { BreakerOptions } from '../../src/breaker/options.ts';
import type { SharedBreaker } from '../../src/breaker/shared-breaker.ts';
import { Code } from '../../src/grpc/status.ts';
import { openRedisBreakers } from '../../src/store/redis/breakers.ts';
import { connectRedis, type RedisSettings } from '../../src/store/redis/connect.ts';
import { loadScripts, Scripts } from '../../src/store/redis/scripts.ts';
import { LoopWatch } from '../fleet/loop-watch.ts';

export const OPTIONS: Partial<BreakerOptions> = {
  failureRatio: 0.5,
  windowMs: 10_000,
  minCalls: 10,
  openForMs: 400,
  probes: 1,
};

const FILES = loadScripts();

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** One gateway's part: its breakers, with a connection of its own. */
export interface Member {
  readonly name: string;
  readonly breakers: FleetBreakers;
  readonly breaker: SharedBreaker;
  /** Ends so many calls with this status; those that are refused count for nothing. @returns how many were admitted */
  call(status: number, times: number): number;
  admit(): Permit | undefined;
  /** Stops it as a gateway does. */
  close(): Promise<void>;
  /** As if it had died. */
  die(): void;
}

export async function openMember(
  node: RedisNode | readonly RedisNode[],
  name: string,
  options: Partial<BreakerOptions> = {},
  backend = 'shop',
): Promise<Member> {
  const settings: RedisSettings = {
    kind: Array.isArray(node) ? 'cluster' : 'single',
    nodes: [node].flat(),
    database: 0,
    username: undefined,
    password: undefined,
    sentinel: undefined,
    tls: undefined,
    keyPrefix: 'tollgate:',
  };
  const connection = connectRedis(settings, { onError: () => {} });
  await connection.ready(5000);
  const scripts = new Scripts(connection.client, FILES);
  const store = openRedisBreakers({ connection, scripts, onError: () => {} });
  const breakers = new FleetBreakers({ store, gateway: name, now: () => performance.now() });
  const breaker = breakers.open(backend, { ...OPTIONS, ...options });
  // The first answer is there, and what follows is heard.
  await breaker.report();
  const admit = () => {
    const permit = breaker.acquire();
    return typeof permit === 'number' ? undefined : permit;
  };
  return {
    name,
    breakers,
    breaker,
    admit,
    call(status, times) {
      let admitted = 0;
      for (let i = 0; i < times; i++) {
        const permit = admit();
        permit?.settle(status);
        if (permit !== undefined) admitted++;
      }
      return admitted;
    },
    async close() {
      await breakers.close();
      connection.close();
    },
    die() {
      connection.close();
      void breakers.close();
    },
  };
}

/**
 * Waits until it is true.
 * @returns the milliseconds that it took, without those in which this process did nothing because the machine had other work
 * @throws after ten seconds
 */
export async function until(what: () => boolean, name: string): Promise<number> {
  const start = performance.now();
  const loop = new LoopWatch();
  try {
    while (!what()) {
      if (performance.now() > start + 10_000) throw new Error(`never: ${name}`);
      await delay(5);
    }
    const end = performance.now();
    return end - start - loop.lateness(start, end);
  } finally {
    loop.close();
  }
}

/** The next probe that the fleet gives leave for. */
export async function nextProbe(member: Member): Promise<Permit> {
  const probes: Permit[] = [];
  await until(() => probes.push(...[member.admit()].filter((permit) => permit !== undefined)) > 0, 'a probe');
  const [probe] = probes;
  if (probe === undefined) throw new Error('no probe');
  return probe;
}

/** Lets a backend fail for these. */
export function failFor(members: readonly Member[]): void {
  for (const member of members) member.call(Code.UNAVAILABLE, 10);
}
