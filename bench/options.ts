import { parseArgs } from 'node:util';
import { LOADS, type Load } from './loads.ts';
import { PROXIES, VARIANTS } from './proxies/index.ts';
import type { Contender } from './proxies/proxy.ts';

export interface Options {
  readonly rounds: number;
  readonly requests: number;
  readonly tenants: number;
  readonly proxies: readonly Contender[];
  readonly loads: readonly Load[];
  /** Put the tables into README.md and docs/benchmarks.md. */
  readonly write: boolean;
}

const DEFAULT_ROUNDS = 3;
const DEFAULT_REQUESTS = 120_000;
const TENANTS = 500;

export const USAGE = `npm run bench -- [options]
  --rounds N      rounds of each load at each proxy (default ${DEFAULT_ROUNDS}); the tables show medians
  --requests N    requests of a round of load a (default ${DEFAULT_REQUESTS}); b and bulk take their share of it
  --only NAMES    some proxies: ${[...PROXIES, ...VARIANTS].map((proxy) => shortName(proxy)).join(',')}
  --loads NAMES   some loads: ${LOADS.map((load) => load.name).join(',')}
  --write         put the tables into README.md and docs/benchmarks.md`;

/** Reads the command line. @throws Error with what is wrong; undefined asks for help. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: String(DEFAULT_ROUNDS) },
      requests: { type: 'string', default: String(DEFAULT_REQUESTS) },
      only: { type: 'string' },
      loads: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    rounds: positive('rounds', values.rounds),
    requests: positive('requests', values.requests),
    tenants: TENANTS,
    proxies: values.only === undefined ? PROXIES : chosen('only', values.only, [...PROXIES, ...VARIANTS], shortName),
    loads: chosen('loads', values.loads, LOADS, (load) => load.name),
    write: values.write,
  };
}

export function shortName(proxy: Contender): string {
  return proxy.name.toLowerCase().replace('node:', '');
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${option} takes a positive number, not ${text}`);
  return value;
}

function chosen<T>(
  option: string,
  text: string | undefined,
  all: readonly T[],
  nameOf: (item: T) => string,
): readonly T[] {
  if (text === undefined) return all;
  const names = text.toLowerCase().split(',');
  for (const name of names) {
    if (!all.some((item) => nameOf(item) === name)) {
      throw new Error(`--${option}: there is no ${name}; known are ${all.map(nameOf).join(', ')}`);
    }
  }
  return all.filter((item) => names.includes(nameOf(item)));
}
