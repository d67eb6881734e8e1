import { expect, test } from 'vitest';
import type { Fleet } from '../support/fleet.ts';
import { describeChanges, runChanges } from './changes.ts';

/** Promise 3: every change is on every gateway, whatever becomes of the messages that announce it. */
export function testChanges(fleetOf: () => Fleet): void {
  test('undisturbed, disturbed and without any message, all gateways come to be equal and none goes back', async () => {
    const report = await runChanges(fleetOf(), 40);
    console.log(describeChanges(report));
    expect(report.broken).toEqual([]);
  });
}
