import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';

// npm run chaos -- --minutes 5 [--seed 7] [--gateways 4]: the same seed, the same faults at the same times.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    gateways: { type: 'string', default: '4' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
console.log(`seed ${seed}`);
const { broken, measured } = await runChaos({
  seed,
  seconds: Number(values.minutes) * 60,
  gateways: Number(values.gateways),
  say: (line) => console.log(line),
});
for (const line of measured) console.log(line);
for (const line of broken) console.error(`BROKEN: ${line}`);
console.log(broken.length === 0 ? `no promise was broken (seed ${seed})` : `${broken.length} broken (seed ${seed})`);
process.exitCode = broken.length === 0 ? 0 : 1;
