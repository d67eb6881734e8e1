import { expect, it } from 'vitest';
import { OverloadMonitor } from '../../src/overload/overload-monitor.ts';
import { reportOverload } from '../../src/overload/report-overload.ts';

it('overload is written down with its cause, and its end with the calls that it refused, not with those of earlier ones', () => {
  const lines: unknown[] = [];
  let now = 0;
  let memory = 0.456;
  let refused = 0;
  const log = { warn: (fields: Readonly<Record<string, unknown>>) => void lines.push(fields) };
  const probes = { now: () => now, memory: () => memory };
  const monitor = new OverloadMonitor(
    { maxDelayMs: 200 },
    probes,
    reportOverload(log, () => refused),
  );
  const tick = (lateMs: number, times = 1) => {
    for (let i = 0; i < times; i++) {
      now += 100 + lateMs;
      monitor.tick();
    }
  };
  tick(300.4);
  refused += 7;
  tick(0, 20);
  expect(lines).toEqual([{ event_loop_late_ms: 300, memory_used: 0.46 }, { refused: 7 }]);
  memory = 0.95;
  tick(0, 10);
  refused += 2;
  memory = 0.5;
  tick(0, 10);
  expect(lines.slice(2)).toEqual([{ event_loop_late_ms: 0, memory_used: 0.95 }, { refused: 2 }]);
});
