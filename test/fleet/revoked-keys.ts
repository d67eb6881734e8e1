import { setTimeout } from 'node:timers/promises';
import type { Gateway } from '../../generated/tollgate/admin/v1/fleet.ts';
import type { AdminClient } from '../support/admin-client.ts';
import type { Fleet } from '../support/fleet.ts';
import type { Revocation } from './checker.ts';
import { monotonicMs } from './monotonic.ts';
import { waitForAll } from './wait-for-all.ts';

const TENANT = 'beta';
/** How long a key is used before it is revoked, and after: milliseconds. */
const USED_MS = 300;
/** A change is everywhere after this in any case: milliseconds. */
const WITHOUT_MESSAGES_MS = 5_000;
/** Calls per second with a key at each gateway. */
const RATE = 20;

/** Makes keys, uses them at every gateway, revokes them, and goes on using them. What an admin could not do is tried anew. */
export class RevokedKeys {
  /** Those that were acknowledged. */
  readonly revocations: Revocation[] = [];
  /** Admin calls that failed: while Redis is away none can succeed. */
  failed = 0;
  readonly #fleet: Fleet;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  async run(ms: number): Promise<void> {
    const until = monotonicMs() + ms;
    for (let turn = 0; monotonicMs() < until; turn++) {
      try {
        const admin = this.#fleet.admin(turn % this.#fleet.gateways.length);
        try {
          await this.#turn(admin, turn);
        } finally {
          admin.close();
        }
      } catch {
        this.failed++;
        await setTimeout(USED_MS);
      }
    }
  }

  /** Gateways that were named have as long as it takes without any message. */
  #named(missing: readonly Gateway[], at: number): Map<number, number> {
    const ports = this.#fleet.gateways.map(({ public: port }) => `127.0.0.1:${port}`);
    return new Map(missing.map(({ address }) => [ports.indexOf(address), at + WITHOUT_MESSAGES_MS]));
  }

  async #turn(admin: AdminClient, turn: number): Promise<void> {
    const { id, key } = await admin.createKey(TENANT, `chaos-${turn}`);
    const loads = this.#fleet.gateways.map((_, gateway) => this.#fleet.load(gateway, key));
    try {
      for (const load of loads) load.rate = RATE;
      await setTimeout(USED_MS);
      await admin.deleteKey(id);
      const { missing } = await waitForAll(admin);
      const acknowledgedAt = monotonicMs();
      this.revocations.push({ principal: id, acknowledgedAt, excused: this.#named(missing, acknowledgedAt) });
      await setTimeout(USED_MS);
    } finally {
      for (const load of loads) await this.#fleet.unload(load);
    }
  }
}
