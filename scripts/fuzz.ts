/**
 * Fuzzes the HTTP/2 engine in both roles, in process (test/http2/fuzz): real conversations, changed by frames and octets, on
 * one connection of a proxy while a canary calls on another. Whatever it finds becomes a test.
 * Usage: npm run fuzz [-- SECONDS [SEED]]; the defaults are 60 seconds and a seed of the clock. A seed that was found is
 * repeated by `npm run fuzz -- 0 SEED`.
 */
import { Finding, fuzzOnce } from '../test/http2/fuzz/fuzz.ts';
import { recordConversations } from '../test/http2/fuzz/record.ts';

const seconds = Number(process.argv[2] ?? 60);
const first = Number(process.argv[3] ?? Date.now() % 1_000_000_000);
const MAX_FINDINGS = 10;
const MIB = 1_048_576;

function memory(): string {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return [rss, heapUsed, arrayBuffers].map((octets) => Math.round(octets / MIB)).join(' / ');
}

async function main(): Promise<number> {
  const recordings = await recordConversations();
  const until = Date.now() + seconds * 1_000;
  const findings: Finding[] = [];
  process.stdout.write(`seed ${first}, ${seconds} s\n`);
  let rounds = 0;
  // What is thrown in a turn of its own is a finding, too, and there is no going on from it.
  process.once('uncaughtException', (error) => {
    process.stdout.write(`seed ${first + rounds}: uncaught: ${error.stack}\n`);
    process.exit(1);
  });
  let told = Date.now();
  do {
    try {
      await fuzzOnce(recordings, first + rounds);
    } catch (error) {
      if (!(error instanceof Finding)) throw error;
      findings.push(error);
      process.stdout.write(`${error.message}\n${error.cause instanceof Error ? error.cause.stack : ''}\n`);
    }
    rounds++;
    if (Date.now() - told > 10_000) {
      told = Date.now();
      process.stdout.write(`${rounds} rounds, MiB of RSS / heap / buffers: ${memory()}\n`);
    }
  } while (Date.now() < until && findings.length < MAX_FINDINGS);
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  process.stdout.write(`${rounds} rounds, ${findings.length} findings, ${timers} timers left, MiB: ${memory()}\n`);
  return findings.length > 0 || timers > 0 ? 1 : 0;
}

process.exitCode = await main();
