import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { credentialInvalid } from '../../src/chain/refusal.ts';
import { mintKey } from '../../src/tenants/key-text.ts';
import { AuthFixture } from './support.ts';

// 1,000,000 with TOLLGATE_FLOOD=1000000; the bounds are the same, whatever the number.
const TRIES = Number(process.env.TOLLGATE_FLOOD ?? 20_000);
const MAX = Math.min(4096, TRIES / 4);

let fixture: AuthFixture;
beforeEach(async () => {
  fixture = await AuthFixture.open({ maxPositives: 256, maxNegatives: MAX });
});
afterEach(() => fixture.close());

describe('a flood of random keys', () => {
  it('leaves what is held bounded, and every valid key where it was', { timeout: 300_000 }, async () => {
    const keys = await Promise.all(Array.from({ length: 50 }, () => fixture.key()));
    for (const { text } of keys) expect(await fixture.admit(text)).toBeUndefined();
    const before = fixture.lookups;
    for (let i = 0; i < TRIES; i++) {
      const { text } = mintKey('guess', randomBytes);
      const refusal = await fixture.auth.admit(fixture.call(text));
      if (refusal !== credentialInvalid()) throw new Error('a random key was let in');
    }
    expect(fixture.lookups - before).toBe(TRIES);
    expect(fixture.auth.stats).toMatchObject({ positives: 50, negatives: MAX, evictions: TRIES - MAX });
    // As fast as before: known without the store, in the same tick.
    for (const { text } of keys) expect(fixture.auth.admit(fixture.call(text))).toBeUndefined();
    expect(fixture.lookups - before).toBe(TRIES);
  });

  it('of valid keys, more than there is room for, evicts the least recently used; all stay valid', async () => {
    const keys = await Promise.all(Array.from({ length: 300 }, () => fixture.key()));
    const first = fixture.call(keys[0]!.text);
    await fixture.auth.admit(first);
    for (const { text } of keys.slice(1)) {
      expect(await fixture.admit(text)).toBeUndefined();
      // In use by its memo all the time, so never the least recently used.
      expect(fixture.auth.admit(first)).toBeUndefined();
    }
    expect(fixture.lookups).toBe(300);
    expect(fixture.auth.stats).toMatchObject({ positives: 256, evictions: 44 });
    expect(await fixture.admit(keys[1]!.text)).toBeUndefined();
    expect(fixture.lookups).toBe(301);
  });
});
