import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Fleet } from '../support/fleet.ts';
import { monotonicMs } from './monotonic.ts';
import { waitForAll } from './wait-for-all.ts';

const FROZEN = 3;
const [OK, UNAUTHENTICATED] = [0, 16];

/** Promise 4: a revocation that was waited for holds everywhere, or names where it does not. */
export function testRevoking(fleetOf: () => Fleet): void {
  test('a revoked key is refused everywhere when the wait ends; a frozen gateway is named, and refuses soon after it wakes', async () => {
    const fleet = fleetOf();
    const admin = fleet.admin(0);
    const make = async () => {
      const { id, key } = await admin.createKey('limited', 'revoked');
      await waitForAll(admin);
      const loads = fleet.gateways.map((_, gateway) => fleet.load(gateway, key));
      for (const load of loads) expect((await load.call()).status).toBe(OK);
      return { id, loads };
    };
    const first = await make();
    const begun = monotonicMs();
    await admin.deleteKey(first.id);
    const all = await waitForAll(admin);
    const took = monotonicMs() - begun;
    expect(all.missing).toEqual([]);
    expect(all.reached).toBe(true);
    for (const load of first.loads) expect((await load.call()).status).toBe(UNAUTHENTICATED);

    const second = await make();
    fleet.gateways[FROZEN]!.signal('SIGSTOP');
    try {
      await admin.deleteKey(second.id);
      const some = await waitForAll(admin, 4);
      expect(some.reached).toBe(false);
      expect(some.missing.map(({ address }) => address)).toEqual([`127.0.0.1:${fleet.gateways[FROZEN]!.public}`]);
      for (const [gateway, load] of second.loads.entries()) {
        if (gateway !== FROZEN) expect((await load.call()).status).toBe(UNAUTHENTICATED);
      }
    } finally {
      fleet.gateways[FROZEN]!.signal('SIGCONT');
    }
    const awake = monotonicMs();
    while ((await second.loads[FROZEN]!.call()).status !== UNAUTHENTICATED) await setTimeout(5);
    const late = monotonicMs() - awake;
    console.log(
      `promise 4: revoked everywhere ${took.toFixed(0)} ms after; one that was frozen, ${late.toFixed(0)} ms after it woke`,
    );
    // Without the time that this machine did not let us ask.
    expect(late - second.loads[FROZEN]!.ownDelay).toBeLessThan(1_000);
    for (const load of [...first.loads, ...second.loads]) await fleet.unload(load);
    admin.close();
  });
}
