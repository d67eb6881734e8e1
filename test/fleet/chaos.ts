import { setTimeout } from 'node:timers/promises';
import { Quota_Period } from '../../generated/tollgate/admin/v1/plan.ts';
import { Fleet } from '../support/fleet.ts';
import { CLOCKS_CAN_BE_MOVED } from '../support/redis-server.ts';
import { checkQuota, checkRevocations, checkTotal, checkWindows, type Revocation, worstWindow } from './checker.ts';
import { runDemand } from './demand.ts';
import type { Answer, Load } from './load.ts';
import { monotonicMs } from './monotonic.ts';
import { RevokedKeys } from './revoked-keys.ts';
import { allowancesOf, createSchedule, type DoneFault, describeFault, explains, type Fault } from './schedule.ts';
import { silenceAllowances } from './silences.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly gateways?: number;
  /** Told what happens. */
  readonly say?: (line: string) => void;
}

export interface ChaosReport {
  /** Promises that were broken, one line each. */
  readonly broken: readonly string[];
  /** What was measured. */
  readonly measured: readonly string[];
}

const LIMIT = { rate: 200, burst: 50 };
const AN_HOUR_S = 3_600;
const QUOTA = 100_000;
const LEASE = QUOTA / 100;
/** A gateway that was hit knows again what was revoked meanwhile: milliseconds. */
const CATCH_UP_MS = 1_000;

/**
 * A fleet under load that is killed, frozen and cut off, as the seed says, and an offline check of what its backends saw.
 * `alpha` is over its limit all the time, `beta` uses its quota, and keys are made and revoked.
 */
export async function runChaos({ seed, seconds, gateways = 4, say = () => {} }: ChaosOptions): Promise<ChaosReport> {
  const schedule = createSchedule(seed, seconds * 1000, gateways, CLOCKS_CAN_BE_MOVED);
  const fleet = await Fleet.start({
    gateways,
    relays: true,
    redis: { movableClock: CLOCKS_CAN_BE_MOVED },
    edit: (config) => {
      const [wide] = config.plans;
      const quota = { ...wide!.quotas[0]!, period: Quota_Period.PERIOD_DAY, limit: QUOTA };
      config.plans = [
        { ...wide!, limits: [{ name: 'calls', ...LIMIT }], quotas: [] },
        { ...wide!, name: 'counted', quotas: [quota] },
      ];
      config.tenants[1]!.plan = 'counted';
    },
  });
  try {
    return await torment(fleet, schedule, { seed, seconds, gateways, say });
  } finally {
    await fleet.dispose();
  }
}

async function torment(
  fleet: Fleet,
  schedule: readonly Fault[],
  options: Required<ChaosOptions>,
): Promise<ChaosReport> {
  const { seed, seconds, gateways, say } = options;
  const done: DoneFault[] = [];
  const answers: Answer[] = [];
  const all = (tenant: string, onAnswer?: (answer: Answer) => void) =>
    Array.from({ length: gateways }, (_, gateway) => fleet.load(gateway, fleet.key(tenant), onAnswer));
  const alpha = all('alpha', (answer) => answers.push(answer));
  const beta = all('beta');
  const keys = new RevokedKeys(fleet);
  const from = monotonicMs();
  const [{ errors, counted }] = await Promise.all([
    doFaults(fleet, schedule, done, say),
    runDemand(alpha, { total: 4 * LIMIT.rate, seconds, seed: seed + 1 }),
    runDemand(beta, { total: 200, seconds, seed: seed + 2 }),
    keys.run(seconds * 1000),
  ]);
  const until = monotonicMs();
  const silences = await fleet.silences();
  for (const { gateway, from: begin, until: end } of silences) {
    say(
      `${((begin - from) / 1000).toFixed(1).padStart(6)} s  gateway ${gateway} did not hear from Redis for ${((end - begin) / 1000).toFixed(1)} s`,
    );
  }
  for (const load of [...alpha, ...beta]) await load.stop();
  await setTimeout(200);
  const calls = await fleet.backend.fetch();
  const of = (tenant: string) => calls.filter((call) => call.tenant === tenant);
  // A busy machine lets gateways believe that Redis is silent, too: where no fault of ours has done it, that counts as it is.
  const others = silences.filter((silence) => !done.some((each) => explains(each, silence)));
  const allowances = [
    ...done.flatMap((each) => allowancesOf(each, LIMIT, gateways)),
    ...silenceAllowances(others, LIMIT, gateways),
  ];
  const crashed = fleet.gateways.flatMap((gateway, index) =>
    gateway.running ? [] : [`gateway ${index} has ended: ${gateway.output.slice(-500)}`],
  );
  // Those killed took a lease with them, and those alive held one when Redis was asked.
  const mayBeLost = (done.filter(({ fault }) => fault.kind === 'kill-gateway').length + gateways) * LEASE;
  const revocations = excuse(keys.revocations, done);
  const silence = done.reduce((sum, each) => sum + (each.until - each.from), 0);
  // While a gateway is gone, frozen or coming back nobody can use its calls.
  const expected = Math.max(0.2, 0.97 - (2 * (silence + done.length * CATCH_UP_MS)) / (until - from));
  const broken = [
    ...errors,
    ...crashed,
    ...checkWindows(of('alpha'), LIMIT, allowances, from).map((line) => `limit: ${line}`),
    ...checkTotal(of('alpha'), LIMIT, { from, until }, expected).map((line) => `limit: ${line}`),
    ...checkQuota(
      of('beta').filter(({ at }) => at <= counted.at),
      { limit: QUOTA, used: counted.used, mayBeLost },
    ).map((line) => `quota: ${line}`),
    ...checkRevocations(calls, revocations),
  ];
  return { broken, measured: measure(of('alpha').length, worst(of('alpha')), answers, alpha, revocations.length) };

  function worst(admitted: ReturnType<typeof of>): string {
    const window = worstWindow(admitted, LIMIT);
    if (window === undefined) return 'nothing was admitted';
    const { admitted: count, allowed, seconds: long } = window;
    return `worst window ${count} in ${long.toFixed(2)} s, the limit without faults allows ${allowed.toFixed(0)}`;
  }
}

function measure(
  admitted: number,
  worst: string,
  answers: readonly Answer[],
  loads: readonly Load[],
  revoked: number,
): string[] {
  const times = answers.filter(({ status }) => status !== -1).map(({ ms }) => ms);
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(1);
  const own = Math.max(...loads.map((load) => load.ownDelay)).toFixed(1);
  return [
    `${admitted} calls admitted, ${worst}`,
    `answers within ${at(0.5)} ms (half), ${at(0.99)} ms (99 %), ${at(0.999)} ms (99.9 %); the callers' own delay up to ${own} ms`,
    `${revoked} keys revoked`,
  ];
}

/** A gateway that was hit while a key was revoked may not know it until it is back, and a second. */
function excuse(revocations: readonly Revocation[], done: readonly DoneFault[]): Revocation[] {
  return revocations.map((revocation) => {
    const excused = new Map(revocation.excused);
    for (const { fault, from, until } of done) {
      if (!/^(freeze|cut|isolate|kill)-gateway$/.test(fault.kind)) continue;
      if (revocation.acknowledgedAt < from - CATCH_UP_MS || revocation.acknowledgedAt > until + CATCH_UP_MS) continue;
      excused.set(fault.gateway, Math.max(excused.get(fault.gateway) ?? 0, until + CATCH_UP_MS));
    }
    return { ...revocation, excused };
  });
}

interface Deeds {
  /** What went wrong in doing them. */
  readonly errors: readonly string[];
  /** What Redis counted of `beta` before it was emptied, and when that was. */
  readonly counted: { readonly at: number; readonly used: number };
}

/** Does and undoes what the schedule says. */
async function doFaults(
  fleet: Fleet,
  schedule: readonly Fault[],
  done: DoneFault[],
  say: (line: string) => void,
): Promise<Deeds> {
  const begin = monotonicMs();
  const errors: string[] = [];
  let counted = { at: 0, used: 0 };
  for (const fault of schedule) {
    await setTimeout(Math.max(0, begin + fault.at - monotonicMs()));
    say(describeFault(fault));
    if (fault.kind === 'empty-redis') counted = { at: monotonicMs(), used: await fleet.quotaUsed('beta', 'units') };
    const from = monotonicMs();
    try {
      const undo = await act(fleet, fault);
      await setTimeout(fault.lasts);
      await undo();
    } catch (error) {
      errors.push(`${describeFault(fault).trim()}: ${error instanceof Error ? error.message : String(error)}`);
    }
    done.push({ fault, from, until: monotonicMs() });
  }
  return { errors, counted };
}

/** @returns what undoes it */
async function act(fleet: Fleet, { kind, gateway }: Fault): Promise<() => Promise<void> | void> {
  const process = fleet.gateways[gateway]!;
  switch (kind) {
    case 'kill-gateway':
      await process.kill('SIGKILL');
      return () => fleet.restart(gateway);
    case 'freeze-gateway':
      process.signal('SIGSTOP');
      return () => process.signal('SIGCONT');
    case 'cut-gateway':
      await fleet.network(gateway, 'cut');
      return () => fleet.network(gateway, 'mend');
    case 'isolate-gateway':
      await fleet.network(gateway, 'freeze');
      return () => fleet.network(gateway, 'mend');
    case 'freeze-redis':
      fleet.redis.signal('SIGSTOP');
      return () => fleet.redis.signal('SIGCONT');
    case 'kill-redis':
      await fleet.redis.kill();
      return () => fleet.redis.restart();
    case 'empty-redis':
      await fleet.redis.kill();
      return () => fleet.redis.restartEmpty();
    case 'break-connections':
      for (const index of fleet.gateways.keys()) await fleet.network(index, 'breakConnections');
      return () => {};
    case 'skew-redis':
      await fleet.redis.moveClock(AN_HOUR_S);
      return () => fleet.redis.moveClock(0);
    case 'break-subscribers':
      await fleet.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      return () => {};
  }
}
