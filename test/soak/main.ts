import { parseArgs } from 'node:util';
import { excess, soak } from './soak.ts';

// npm run soak -- --minutes 60 [--seed 1]: prints what the gateway holds after every minute, and fails when it grows.

const MIB = 1024 * 1024;
/** What may be more at the end than after the first quarter, when caches are full and the code is compiled. */
const MAX_GROWTH_MIB = 16;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' }, seed: { type: 'string' } } });
const rounds = Math.max(8, Math.round(Number(values.minutes)));
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const roundMs = (Number(values.minutes) * 60_000) / rounds;

console.log(`${rounds} rounds of ${Math.round(roundMs / 1000)} s, seed ${seed}`);
console.log('round   rss MiB  heap MiB  external  calls     faults  resources');
const report = await soak({
  rounds,
  roundMs,
  seed,
  onRound: (round, { rss, heapUsed, external, resources }, { ends, faults }) => {
    const calls = [...ends.values()].reduce((sum, count) => sum + count, 0);
    const cells = [
      String(round).padStart(5),
      mib(rss),
      mib(heapUsed),
      mib(external),
      String(calls).padEnd(8),
      String(faults).padEnd(6),
    ];
    console.log(cells.join('  '), JSON.stringify(resources));
  },
});

const [begin] = report.holdings;
const settled = report.holdings[Math.ceil(rounds / 4)]!;
const end = report.holdings.at(-1)!;
const complaints = [
  ...(report.tally.hung > 0 ? [`${report.tally.hung} calls hung`] : []),
  ...(report.exitCode === 0 ? [] : [`the gateway ended with ${report.exitCode}`]),
  ...report.errors.slice(0, 5),
  ...Object.entries(excess(end, begin!)).map(([kind, count]) => `${count} more ${kind} than at the begin`),
  ...(['rss', 'heapUsed'] as const)
    .filter((what) => end[what] - settled[what] > MAX_GROWTH_MIB * MIB)
    .map((what) => `${what} grew from ${mib(settled[what])} to ${mib(end[what])} MiB`),
];
console.log(`ends by status: ${JSON.stringify(Object.fromEntries(report.tally.ends))}`);
for (const complaint of complaints) console.error(`FAILED: ${complaint}`);
process.exitCode = complaints.length === 0 ? 0 : 1;

function mib(octets: number): string {
  return (octets / MIB).toFixed(1).padStart(8);
}
