import { parseArgs } from 'node:util';
import { Fleet } from '../support/fleet.ts';
import { checkChangeTimes, describeChanges, runChanges } from './changes.ts';
import { runChaos } from './chaos.ts';

// npm run chaos -- --minutes 5 [--seed 7] [--gateways 4]: the same seed, the same faults at the same times.
// npm run chaos -- changes [--count 1000]: so many changes, in peace and with messages hurt, and a few without any.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    gateways: { type: 'string', default: '4' },
    count: { type: 'string', default: '1000' },
  },
});
const gateways = Number(values.gateways);

/** @returns what was broken */
async function changes(): Promise<readonly string[]> {
  const fleet = await Fleet.start({ gateways });
  try {
    const report = await runChanges(fleet, Number(values.count));
    console.log(describeChanges(report));
    return [...report.broken, ...checkChangeTimes(report)];
  } finally {
    await fleet.dispose();
  }
}

/** @returns what was broken */
async function chaos(): Promise<readonly string[]> {
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}`);
  const seconds = Number(values.minutes) * 60;
  const { broken, measured } = await runChaos({ seed, seconds, gateways, say: (line) => console.log(line) });
  for (const line of measured) console.log(line);
  return broken;
}

const broken = await (positionals[0] === 'changes' ? changes() : chaos());
for (const line of broken) console.error(`BROKEN: ${line}`);
console.log(broken.length === 0 ? 'no promise was broken' : `${broken.length} broken`);
process.exitCode = broken.length === 0 ? 0 : 1;
