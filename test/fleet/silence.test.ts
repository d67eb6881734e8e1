import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Plan_WhenStoreSilent as WhenSilent } from '../../generated/tollgate/admin/v1/plan.ts';
import { type Config, Tenant as ConfigTenant } from '../../generated/tollgate/config/v1/config.ts';
import { Fleet } from '../support/fleet.ts';
import { type RedisFailover, startSentinel } from '../support/redis-server.ts';
import { type Allowance, checkWindows, worstWindow } from './checker.ts';
import type { Answer, Load } from './load.ts';
import { monotonicMs } from './monotonic.ts';
import { allowancesOf, type DoneFault, explains, type FaultKind } from './schedule.ts';
import { type Silence, silenceAllowances } from './silences.ts';

// Promise 5: Redis is frozen, killed, emptied, failed over, and each tenant gets what its plan says.

const LIMIT = { rate: 200, burst: 40 };
const GATEWAYS = 2;
/** So many answers of each policy, and tenths of a second, while all gateways know that Redis is away. */
const ANSWERS = 20;
const AWAY_MS = 900;
/** So many answers as if nothing had been, one after the other, and all is as before. */
const AGAIN = 10;
const [OK, UNAVAILABLE] = [0, 14];

const POLICIES = {
  alpha: WhenSilent.WHEN_STORE_SILENT_LOCAL_SHARE,
  open: WhenSilent.WHEN_STORE_SILENT_OPEN,
  closed: WhenSilent.WHEN_STORE_SILENT_CLOSED,
};
type Policy = keyof typeof POLICIES;

let fleet: Fleet;
let failover: RedisFailover;
let failoverFleet: Fleet;
const faults: DoneFault[] = [];

function edit(config: Config): void {
  const [wide] = config.plans;
  config.plans = Object.entries(POLICIES).map(([name, whenStoreSilent]) => ({
    ...wide!,
    name,
    whenStoreSilent,
    limits: [{ name: 'calls', ...LIMIT }],
  }));
  config.tenants = Object.keys(POLICIES).map((id) => ConfigTenant.fromPartial({ id, plan: id, displayName: '' }));
}

beforeAll(async () => {
  failover = await startSentinel();
  fleet = await Fleet.start({ gateways: GATEWAYS, edit });
  failoverFleet = await Fleet.start({
    gateways: GATEWAYS,
    edit: (config) => {
      edit(config);
      const store = config.store!.kind!;
      if (store.$case !== 'redis') throw new Error('no redis');
      store.redis.url = '';
      store.redis.urls = failover.sentinels.map(({ host, port }) => `redis://${host}:${port}`);
      store.redis.sentinel = { master: failover.masterName, username: '', passwordFromEnv: '' };
    },
  });
});
afterAll(async () => {
  await fleet?.dispose();
  await failoverFleet?.dispose();
  await failover?.stop();
});

/** Calls of all three tenants at all gateways: `alpha` above its limit, the others well below. */
class Callers {
  readonly loads = new Map<Policy, Load[]>();
  readonly answers = new Map<Policy, Answer[]>();
  readonly #fleet: Fleet;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    for (const policy of Object.keys(POLICIES) as Policy[]) {
      const answers: Answer[] = [];
      const onAnswer = (answer: Answer) => void answers.push(answer);
      const loads = fleet.gateways.map((_, gateway) => fleet.load(gateway, fleet.key(policy), onAnswer));
      for (const load of loads) load.rate = (policy === 'alpha' ? 2 * LIMIT.rate : 40) / GATEWAYS;
      this.loads.set(policy, loads);
      this.answers.set(policy, answers);
    }
  }

  /** Answers to calls of a policy that were made and answered between two moments of this process's clock. */
  between(policy: Policy, from: number, until: number): Answer[] {
    return this.answers.get(policy)!.filter(({ startedAt, ms }) => startedAt >= from && startedAt + ms < until);
  }

  /** Resolves when calls that were made since a moment were admitted, or refused where nobody is admitted. */
  async decided(policy: Policy, since: number): Promise<void> {
    const status = policy === 'closed' ? UNAVAILABLE : OK;
    const answers = () => this.between(policy, since, performance.now()).filter((answer) => answer.status === status);
    await expect.poll(() => answers().length, { interval: 20 }).toBeGreaterThan(ANSWERS);
  }

  /** Resolves when everybody with this policy is admitted again. */
  async admittedAgain(policy: Policy): Promise<void> {
    const seen = this.answers.get(policy)!.length;
    const last = () => this.answers.get(policy)!.slice(seen).slice(-AGAIN);
    await expect.poll(() => last().filter(({ status }) => status === OK).length, { interval: 20 }).toBe(AGAIN);
  }

  async stop(): Promise<void> {
    for (const load of [...this.loads.values()].flat()) await this.#fleet.unload(load);
  }
}

const CASES: readonly { readonly what: FaultKind; begin(): Promise<void> | void; end(): Promise<void> | void }[] = [
  { what: 'freeze-redis', begin: () => fleet.redis.signal('SIGSTOP'), end: () => fleet.redis.signal('SIGCONT') },
  { what: 'kill-redis', begin: () => fleet.redis.kill(), end: () => fleet.redis.restart() },
  { what: 'empty-redis', begin: () => fleet.redis.kill(), end: () => fleet.redis.restartEmpty() },
];

test.for(CASES)(
  '$what: each tenant gets what its plan says, nobody waits, and the limit comes back without a burst',
  async ({ what, begin, end }) => {
    const callers = new Callers(fleet);
    await setTimeout(500);
    const logged = fleet.gateways.map(silenceLines);
    const told = fleet.gateways.map(silencesTold);
    const from = monotonicMs();
    const away = performance.now();
    await begin();
    const noticed = () => fleet.gateways.every((gateway, index) => silencesTold(gateway) > told[index]!);
    await expect.poll(noticed, { interval: 5 }).toBe(true);
    const known = performance.now();
    await setTimeout(AWAY_MS);
    for (const policy of ['alpha', 'open', 'closed'] as const) await callers.decided(policy, known);
    const back = performance.now();
    await end();
    const until = monotonicMs();
    for (const policy of ['open', 'closed'] as const) await callers.admittedAgain(policy);
    await callers.stop();

    const whileAway = (policy: Policy) => callers.between(policy, known, back);
    const statuses = (answers: readonly Answer[]) => [...new Set(answers.map(({ status }) => status))];
    expect(statuses(whileAway('open'))).toEqual([OK]);
    expect(statuses(whileAway('closed'))).toEqual([UNAVAILABLE]);
    faults.push({ fault: { kind: what, at: 0, lasts: AWAY_MS, gateway: 0 }, from, until });
    const { others, allowances } = allowed(await fleet.silences(), faults);
    const calls = (await fleet.backend.fetch()).filter(({ tenant }) => tenant === 'alpha');
    expect(checkWindows(calls, LIMIT, allowances)).toEqual([]);

    const waits = (['alpha', 'open', 'closed'] as const).flatMap((policy) => callers.between(policy, away, back));
    const times = waits.map(({ ms }) => ms).sort((a, b) => a - b);
    const lines = fleet.gateways.map((gateway, index) => silenceLines(gateway) - logged[index]!);
    const during = calls.filter(({ at }) => at >= from - 1_000);
    const worst = worstWindow(during, LIMIT)!;
    console.log(
      `promise 5, ${what}: decisions while Redis is away took ${percentile(times, 0.99)} ms (99 %), ${percentile(times, 1)} ms (longest); ` +
        `local share: worst window ${worst.admitted} in ${worst.seconds.toFixed(2)} s, the limit alone allows ${worst.allowed.toFixed(0)}`,
    );
    // How long decisions take is held in decisions.test.ts, where it can be told from what this machine does beside.
    expect(fleet.gateways.every(({ running }) => running)).toBe(true);
    // Once when it begins, once when it ends; what sync has to say of it is its own.
    for (const count of lines) expect(count).toBeLessThanOrEqual(4 + 2 * others.length);
  },
);

test('a failover is a short silence, and nobody crashes', async () => {
  const callers = new Callers(failoverFleet);
  await setTimeout(500);
  const from = monotonicMs();
  const begun = performance.now();
  await failover.failOver();
  const until = monotonicMs();
  for (const policy of ['open', 'closed'] as const) await callers.admittedAgain(policy);
  const again = performance.now();
  await callers.stop();
  const calls = (await failoverFleet.backend.fetch()).filter(({ tenant }) => tenant === 'alpha');
  // The new master may lack what the old one had not told it: as an empty one, at worst.
  const fault = { kind: 'empty-redis', at: 0, lasts: 0, gateway: 0 } as const;
  const { allowances } = allowed(await failoverFleet.silences(), [{ fault, from, until }]);
  const waits = callers.between('open', begun, again).map(({ ms }) => ms);
  waits.sort((a, b) => a - b);
  console.log(
    `promise 5, failover: ${(until - from).toFixed(0)} ms; decisions took ${percentile(waits, 1)} ms (longest)`,
  );
  expect(checkWindows(calls, LIMIT, allowances)).toEqual([]);
  expect(failoverFleet.gateways.every(({ running }) => running)).toBe(true);
});

/** What docs/fleet.md allows for the faults, and for other silences: this machine may let Redis seem silent at any time. */
function allowed(silences: readonly Silence[], done: readonly DoneFault[]) {
  const others = silences.filter((silence) => !done.some((each) => explains(each, silence)));
  const allowances: Allowance[] = [
    ...done.flatMap((each) => allowancesOf(each, LIMIT, GATEWAYS)),
    ...silenceAllowances(others, LIMIT, GATEWAYS),
  ];
  return { others, allowances };
}

function silencesTold({ output }: { readonly output: string }): number {
  return output.split('does not answer in time').length;
}

function silenceLines({ output }: { readonly output: string }): number {
  return output.split('\n').filter((line) => /silent|answers again|does not answer/i.test(line)).length;
}

function percentile(sorted: readonly number[], share: number): string {
  return (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1);
}
