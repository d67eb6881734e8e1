import { parseArgs } from 'node:util';
import { growthOf, mib } from './growth.ts';
import { callsOf, excess, soak } from './soak.ts';

// npm run soak -- --minutes 60 [--seed 1] [--rest 50] [--leak 200]: prints what the gateway holds after every minute, and fails
// when it grows. `--rest` makes it gentler, in milliseconds after each burst of calls; `--leak` shows that it would notice: so
// many octets a call.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string' },
    rest: { type: 'string' },
    leak: { type: 'string' },
  },
});
const rounds = Math.max(8, Math.round(Number(values.minutes)));
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const roundMs = (Number(values.minutes) * 60_000) / rounds;

console.log(`${rounds} rounds of ${Math.round(roundMs / 1000)} s, seed ${seed}; memory in MiB`);
console.log('round    rss   heap  external  squeezed    calls  faults  resources');
const report = await soak({
  rounds,
  roundMs,
  seed,
  squeeze: true,
  ...(values.rest === undefined ? {} : { restMs: Number(values.rest) }),
  ...(values.leak === undefined ? {} : { leak: Number(values.leak) }),
  onRound: (round, { rss, heapUsed, external, squeezed, resources, sockets }, tally) => {
    const cells = [
      String(round).padStart(5),
      mib(rss).padStart(5),
      mib(heapUsed).padStart(5),
      mib(external).padStart(8),
      (squeezed === undefined ? '' : mib(squeezed)).padStart(8),
      String(callsOf(tally)).padStart(7),
      String(tally.faults).padStart(6),
    ];
    console.log(cells.join('  '), '', JSON.stringify(resources));
    for (const socket of sockets) console.log(`       a socket: ${socket}`);
  },
});

const [begin, ...after] = report.holdings;
const complaints = [
  ...(report.tally.hung > 0 ? [`${report.tally.hung} calls hung`] : []),
  ...(report.exitCode === 0 ? [] : [`the gateway ended with ${report.exitCode}`]),
  ...report.errors.slice(0, 5),
  ...after.flatMap((holdings, index) =>
    Object.entries(excess(holdings, begin!)).map(
      ([kind, count]) =>
        `${count} more ${kind} after round ${index + 1} than at the begin; sockets: ${holdings.sockets.join(', ') || 'none'}`,
    ),
  ),
  ...growthOf(after),
];
console.log(`ends by status: ${JSON.stringify(Object.fromEntries(report.tally.ends))}`);
for (const complaint of complaints) console.error(`FAILED: ${complaint}`);
if (complaints.length === 0) console.log('nothing grew: memory, handles and timers are flat, and no call hung');
process.exitCode = complaints.length === 0 ? 0 : 1;
