import { describe, expect, it } from 'vitest';
import { Finding, fuzzOnce } from './fuzz.ts';
import { recordConversations } from './record.ts';

// The short form of `npm run fuzz`: always the same seeds. What the long form finds becomes a test of its own name.

const ROUNDS = 150;

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

describe('a fuzzed peer', () => {
  it('makes nothing throw, leaves nothing behind, and disturbs nobody', async () => {
    const recordings = await recordConversations();
    const before = timers();
    for (let seed = 1; seed <= ROUNDS; seed++) await fuzzOnce(recordings, seed);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it('is the same for the same seed', async () => {
    const recordings = await recordConversations();
    const broken = recordings.map(({ fromClient }) => ({ fromClient, fromServer: Buffer.alloc(0) }));
    // Without a server's octets a round of the client role cannot begin: a finding, with its seed.
    const findings: number[] = [];
    for (let seed = 1; seed <= 8; seed++) {
      await fuzzOnce(broken, seed).catch((error: unknown) => {
        if (error instanceof Finding) findings.push(error.seed);
      });
    }
    expect(findings.length).toBeGreaterThan(0);
    for (const seed of findings) await expect(fuzzOnce(broken, seed)).rejects.toThrow(`seed ${seed}`);
  });
});
