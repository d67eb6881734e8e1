import { expect, it } from 'vitest';
import { FloodCounts } from '../../src/metrics/flood-counts.ts';

it('counts by peer and kind, and says so once in ten seconds', () => {
  let now = 0;
  const lines: unknown[] = [];
  const counts = new FloodCounts(
    () => now,
    (line) => lines.push(line),
  );
  for (let index = 0; index < 5; index++) counts.count('listener public', 'ping', '192.0.2.1');
  counts.count('backend shop', 'settings');
  now = 10_000;
  counts.count('listener public', 'ping', '192.0.2.2');
  expect(counts.list()).toEqual([
    { peer: 'listener public', kind: 'ping', count: 6 },
    { peer: 'backend shop', kind: 'settings', count: 1 },
  ]);
  expect(lines).toEqual([
    { peer: 'listener public', kind: 'ping', count: 1, from: '192.0.2.1' },
    { peer: 'backend shop', kind: 'settings', count: 1 },
    { peer: 'listener public', kind: 'ping', count: 5, from: '192.0.2.2' },
  ]);
});
