import { describe, expect, it } from 'vitest';
import { REFUSALS } from '../../src/chain/refusal-table.ts';
import { MAX_PRESSURE, OverloadMonitor } from '../../src/overload/overload-monitor.ts';
import { OverloadStage } from '../../src/overload/overload-stage.ts';
import { Priority } from '../../src/sync/snapshot.ts';
import { fakeCall, fakePlan } from '../chain/fake-call.ts';

const TICK_MS = 100;

/** A monitor whose event loop is as late as the test says. */
function monitored(maxDelayMs = 200) {
  let now = 0;
  const state = { memory: 0 };
  const changes: boolean[] = [];
  const probes = { now: () => now, memory: () => state.memory };
  const monitor = new OverloadMonitor({ maxDelayMs }, probes, (overloaded) => changes.push(overloaded));
  const tick = (lateMs: number, times = 1): number => {
    for (let i = 0; i < times; i++) {
      now += TICK_MS + lateMs;
      monitor.tick();
    }
    return monitor.pressure;
  };
  return { monitor, tick, state, changes };
}

describe('the monitor', () => {
  it('feels no pressure as long as the event loop is late by no more than it may be', () => {
    const { tick, changes } = monitored();
    expect(tick(0, 10)).toBe(0);
    expect(tick(200, 100)).toBe(0);
    expect(changes).toEqual([]);
  });

  it('never refuses normal calls for a single stall, however long', () => {
    const { tick } = monitored();
    expect(tick(60_000)).toBeLessThan(Priority.NORMAL);
    expect(tick(0, 5)).toBe(0);
  });

  it('rises while the loop is late, the later the faster, up to its most, and falls when it is in time', () => {
    const [mild, hard] = [monitored(), monitored()];
    expect(mild.tick(220, 3)).toBeLessThan(hard.tick(600, 3));
    expect(hard.tick(2_000, 100)).toBe(MAX_PRESSURE);
    const before = hard.monitor.pressure;
    expect(hard.tick(0)).toBeLessThan(before);
    expect(hard.tick(0, 40)).toBe(0);
    expect(hard.changes).toEqual([true, false]);
  });

  it('feels memory that runs short, whatever the loop does, and is relieved when it is there again', () => {
    const { tick, state } = monitored();
    state.memory = 0.89;
    expect(tick(0, 10)).toBe(0);
    state.memory = 0.95;
    expect(tick(0, 10)).toBeCloseTo(1.5);
    state.memory = 1.2;
    expect(tick(0, 10)).toBe(MAX_PRESSURE);
    state.memory = 0.5;
    expect(tick(0, 10)).toBe(0);
  });

  it('looks with a timer of its own that keeps no process alive', () => {
    const { monitor } = monitored();
    monitor.start().start();
    monitor.close();
    monitor.close();
  });
});

describe('the stage', () => {
  const call = (priority: Priority) => fakeCall('a', fakePlan({ priority }));
  const { LOW, NORMAL, HIGH } = Priority;

  /** Of 1,000 calls of each priority, how many are refused at this pressure. */
  function refusedAt(pressure: number): number[] {
    const stage = new OverloadStage({ pressure }, () => false);
    return [LOW, NORMAL, HIGH].map((priority) => {
      let refused = 0;
      for (let i = 0; i < 1_000; i++) if (stage.admit(call(priority)) !== undefined) refused++;
      return refused;
    });
  }

  it.each([
    [0, [0, 0, 0]],
    [0.25, [250, 0, 0]],
    [1, [1_000, 0, 0]],
    [1.5, [1_000, 500, 0]],
    [2.1, [1_000, 1_000, 100]],
    [3, [1_000, 1_000, 1_000]],
  ])('at a pressure of %d refuses %j of 1,000 calls of low, normal and high priority', (pressure, expected) => {
    refusedAt(pressure).forEach((refused, index) => {
      expect(Math.abs(refused - expected[index]!)).toBeLessThanOrEqual(1);
    });
  });

  it('never refuses what is exempt, and takes who has no plan for normal', () => {
    const stage = new OverloadStage({ pressure: 3 }, (method) => method !== undefined);
    expect(stage.admit(call(LOW))).toBeUndefined();
    const anonymous = { ...call(LOW), method: undefined, plan: undefined };
    expect(stage.admit(anonymous)).toMatchObject({ reason: 'GATEWAY_OVERLOADED' });
    expect(new OverloadStage({ pressure: 1 }, () => false).admit(anonymous)).toBeUndefined();
  });

  it('tells neighbours different times to wait', () => {
    const stage = new OverloadStage({ pressure: 3 }, () => false);
    const waits = Array.from({ length: 5 }, () => stage.admit(call(NORMAL))?.retryAfterMs);
    expect(new Set(waits).size).toBe(5);
    expect(stage.refused).toBe(5);
    expect(REFUSALS.map(({ reason }) => reason)).toContain('GATEWAY_OVERLOADED');
  });
});
