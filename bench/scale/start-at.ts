import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { freePorts } from '../children.ts';
import { residentOctets } from '../cpu.ts';
import { writeContract } from '../fixtures.ts';
import type { Bench, Target } from '../measure.ts';
import { probe } from '../probe.ts';
import { keyOf, type Scale } from './scale-store.ts';

export const ADMIN_KEY = `tg_admin_${'0'.repeat(12)}_${'b'.repeat(48)}`;
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

export interface ScaledGateway extends Target {
  readonly admin: number;
  /** From the start of the process to the first answered call. */
  readonly seconds: number;
  /** Of the process, in that time. */
  readonly cpuSeconds: number;
  /** Octets, some seconds after it. */
  readonly resident: number;
}

/** Starts a gateway on a store that is there already. */
export async function startAt(bench: Bench, name: string, store: string, scale: Scale): Promise<ScaledGateway> {
  const folder = join(bench.folder, name);
  const [port, admin] = (await freePorts(2)) as [number, number];
  mkdirSync(folder);
  writeContract(join(folder, 'protos'));
  const config = join(folder, 'tollgate.yaml');
  const text = stringify({
    listeners: [
      { name: 'public', address: `127.0.0.1:${port}`, contracts: ['bench'] },
      { name: 'admin', address: `127.0.0.1:${admin}`, contracts: ['tollgate'] },
    ],
    store: { embedded: { path: store } },
    backends: [{ name: 'echo', endpoints: [`127.0.0.1:${bench.backend.port}`] }],
    contracts: [{ name: 'bench', protos: join(folder, 'protos'), backend: 'echo' }],
    telemetry: { log_level: 'warn' },
  });
  writeFileSync(config, text);
  const begun = performance.now();
  const service = bench.children.start(name, process.execPath, [MAIN, 'serve', '--config', config], {
    env: { TOLLGATE_ADMIN_KEY: ADMIN_KEY },
  });
  const { text: key } = keyOf(scale.tenants - 1, scale.keysPerTenant - 1);
  for (;;) {
    try {
      await probe(port, bench.paths[0]!, key, true);
      break;
    } catch (error) {
      if (service.child.exitCode !== null || performance.now() - begun > 60_000) {
        throw new Error(`${name} does not answer: ${String(error)}\n${service.log()}`, { cause: error });
      }
      await delay(20);
    }
  }
  const seconds = (performance.now() - begun) / 1000;
  const cpuSeconds = bench.cpu(service.pid) / 1e6;
  await delay(3_000);
  return { name, pid: service.pid, port, admin, seconds, cpuSeconds, resident: residentOctets(service.pid) };
}
