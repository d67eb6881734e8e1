import { ServerTls, Telemetry } from '../../generated/tollgate/config/v1/config.ts';
import { leastMemory, MIB } from '../../src/metrics/budget.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { type Holdings, ProbedGateway } from '../support/probed-gateway.ts';
import { PAIRS } from '../support/tls-files.ts';
import { isSqueezed } from './growth.ts';
import { runTraffic, type Tally } from './traffic.ts';

export interface SoakOptions {
  readonly rounds: number;
  /** Milliseconds of traffic in each. */
  readonly roundMs: number;
  readonly seed: number;
  /** How often a backend dies, in milliseconds; it comes back at once, at the same place. Default 1,500. */
  readonly backendLifeMs?: number;
  /** Milliseconds that each caller rests after a burst of calls. Default 0. */
  readonly restMs?: number;
  /** Octets that the gateway is made to keep for each call, to see that it is noticed. Default 0. */
  readonly leak?: number;
  /** Whether V8 is made to give back what it can, after the rounds that `isSqueezed` tells. Default false. */
  readonly squeeze?: boolean;
  /** Told what the gateway holds when all is quiet, after each round. */
  readonly onRound?: (round: number, holdings: Holdings, tally: Tally) => void;
}

export interface SoakReport {
  /** When all is quiet: before the first round, and after each. */
  readonly holdings: readonly Holdings[];
  readonly tally: Tally;
  /** Lines that the gateway logged as errors. */
  readonly errors: readonly string[];
  readonly exitCode: number | null;
}

const BACKEND_LIFE_MS = 1_500;
/** More than two tenants make with all that they call. */
const FEW_SERIES = 500;
/** What is waited for quiet: connections of clients that are gone are closed by then. */
const QUIET_MS = 15_000;

/**
 * Mixed traffic with faults against a gateway in a process of its own, in rounds. After each all clients go, and what the
 * gateway still holds then is what leaks.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const random = createRandom(options.seed);
  let backends: EverythingBackend[] = await Promise.all([startBackend(0), startBackend(0)]);
  const ports = backends.map(({ port }) => port);
  const probed = await ProbedGateway.start({
    backend: `127.0.0.1:${ports[0]}`,
    edit: (config) => {
      config.backends[0]!.endpoints = ports.map((port) => `127.0.0.1:${port}`);
      const { cert, key } = PAIRS.gateway;
      config.listeners[0]!.maxConnectionAge = { seconds: 2, nanos: 0 };
      // Memory that is set aside for metrics becomes resident as it is first used: with half a MiB for what was counted lately, and
      // not 8, that is over in minutes, and nothing of it looks like growth for an hour.
      config.telemetry = Telemetry.fromPartial({
        ...config.telemetry,
        metrics: { maxSeries: FEW_SERIES, memoryMib: Math.ceil(leastMemory(FEW_SERIES) / MIB) },
      });
      config.listeners.push({ ...config.listeners[0]!, name: 'secure', tls: ServerTls.fromPartial({ cert, key }) });
    },
  });
  const { gateway } = probed;
  const tally: Tally = { ends: new Map(), hung: 0, faults: 0 };
  const holdings: Holdings[] = [await probed.holdings()];
  let counted = 0;
  try {
    for (let round = 1; round <= options.rounds; round++) {
      const clock = createRound(options.roundMs);
      const replace = async (index: number): Promise<void> => {
        backends[index]?.stop();
        backends = backends.with(index, await startBackend(ports[index]!));
      };
      const deaths = (async () => {
        for (let death = 0; !clock.over(); death++) {
          await clock.pause(options.backendLifeMs ?? BACKEND_LIFE_MS);
          await replace(death % ports.length);
          gateway.signal('SIGHUP');
        }
      })();
      const traffic = runTraffic({
        address: `127.0.0.1:${gateway.public}`,
        key: gateway.config.key('alpha'),
        fault: { port: gateway.public, key: gateway.config.key('beta'), pause: clock.pause },
        random,
        over: clock.over,
        rest: options.restMs === undefined ? undefined : () => clock.pause(options.restMs ?? 0),
        tally,
      });
      await Promise.all([traffic, deaths]);
      // New backends: the old ones' connections go, and what is left is the gateway's own.
      const renew = async (): Promise<void> => {
        for (const index of ports.keys()) await replace(index);
      };
      await renew();
      const calls = callsOf(tally);
      if (options.leak !== undefined) probed.leak(options.leak * (calls - counted));
      counted = calls;
      holdings.push(
        await quiet(probed, holdings[0]!, renew, options.squeeze === true && isSqueezed(round, options.rounds)),
      );
      options.onRound?.(round, holdings.at(-1)!, tally);
    }
    gateway.signal('SIGTERM');
    const exitCode = await gateway.ended();
    const errors = gateway.output.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line));
    return { holdings, tally, errors, exitCode };
  } finally {
    await gateway.dispose();
    for (const backend of backends) backend.stop();
  }
}

/** Handles and timers that are there now and were not at the begin. */
export function excess(now: Holdings, begin: Holdings): Record<string, number> {
  const more: Record<string, number> = {};
  for (const [kind, count] of Object.entries(now.resources)) {
    const extra = count - (begin.resources[kind] ?? 0);
    if (extra > 0) more[kind] = extra;
  }
  return more;
}

/** Calls that have ended. */
export function callsOf({ ends }: Tally): number {
  return [...ends.values()].reduce((sum, count) => sum + count, 0);
}

/**
 * Waits until the gateway holds no more than at the begin, or as long as one can. A call that was tried again when its backend
 * died, and whose caller then went, leaves a connection to the new backend that no other call will ever use here, but that is
 * rightly kept for one: so backends are made anew until there is none.
 */
async function quiet(
  probed: ProbedGateway,
  begin: Holdings,
  renewBackends: () => Promise<void>,
  squeeze: boolean,
): Promise<Holdings> {
  const until = Date.now() + QUIET_MS;
  const first = await probed.holdings();
  let now = first;
  while (Object.keys(excess(now, begin)).length > 0 && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    await renewBackends();
    now = await probed.holdings();
  }
  const { squeezed } = squeeze ? await probed.holdings(true) : now;
  // What was resident when the traffic ended, before any collection of ours.
  return { ...now, rss: first.rss, squeezed };
}

async function startBackend(port: number): Promise<EverythingBackend> {
  return await new EverythingBackend().start(undefined, port);
}

/** The time of a round: pauses end with it. */
function createRound(ms: number): { over(): boolean; pause(ms: number): Promise<void> } {
  const until = Date.now() + ms;
  return {
    over: () => Date.now() >= until,
    pause: (wanted) => new Promise((resolve) => setTimeout(resolve, Math.max(0, Math.min(wanted, until - Date.now())))),
  };
}

/** Mulberry32: numbers in [0, 1) that a seed repeats. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
