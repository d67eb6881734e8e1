import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeyUses } from '../../src/auth/key-uses.ts';
import { AuthFixture } from './support.ts';

let fixture: AuthFixture;
let uses: KeyUses;
let written: [string, number][] = [];
const errors: unknown[] = [];

beforeEach(async () => {
  written = [];
  uses = new KeyUses({
    store: {
      note: (noted) => {
        written.push(...noted);
        return fixture.registry.store.keyUses.note(noted);
      },
      read: (ids) => fixture.registry.store.keyUses.read(ids),
    },
    onError: (error) => errors.push(error),
    gatherMs: 3_600_000,
  });
  fixture = await AuthFixture.open({ maxPositives: 1, uses });
});
afterEach(() => fixture.close());

const now = () => fixture.registry.folder.clock.ms;

describe('the last use of a key', () => {
  it('is noted once a minute, however many calls there are', async () => {
    const { id, text } = await fixture.key();
    const first = now();
    for (let i = 0; i < 1000; i++) await fixture.admit(text);
    fixture.registry.folder.clock.ms += 59_999;
    await fixture.admit(text);
    expect(await uses.read([id])).toEqual(new Map([[id, first]]));
    fixture.registry.folder.clock.ms += 1;
    await fixture.admit(text);
    expect(await uses.read([id])).toEqual(new Map([[id, now()]]));
    expect(written.length).toBe(2);
  });

  it('is written once a minute too where the key leaves the cache again and again', async () => {
    const [one, two] = [await fixture.key(), await fixture.key()];
    const first = now();
    for (let i = 0; i < 10; i++) {
      await fixture.admit(one.text);
      await fixture.admit(two.text);
      await uses.flush();
      fixture.registry.folder.clock.ms += 1000;
    }
    expect(await uses.read([one.id, two.id])).toEqual(
      new Map([
        [one.id, first],
        [two.id, first],
      ]),
    );
  });

  it('is no change: neither version nor etag rise, and nobody is woken', async () => {
    const { id, text } = await fixture.key();
    const { sync, manager } = fixture.registry;
    const before = [sync.current, await manager.getApiKey({ id })];
    let woken = 0;
    sync.onChange(() => void woken++);
    await fixture.admit(text);
    await uses.flush();
    expect([sync.current, await manager.getApiKey({ id })]).toEqual(before);
    expect(woken).toBe(0);
    expect(await fixture.registry.store.documents.version()).toBe(sync.current.version);
  });

  it('is not noted of keys that are refused, and goes with its key', async () => {
    const { id, text } = await fixture.key();
    await fixture.admit(text);
    await fixture.admit('tg_nobody_0000000000000000_00000000000000000000');
    await uses.flush();
    expect(written.map(([key]) => key)).toEqual([id]);
    await fixture.registry.manager.deleteApiKey({ id, etag: '' });
    expect(await uses.read([id])).toEqual(new Map());
    // Another gateway tells of it late.
    await fixture.registry.store.keyUses.note(new Map([[id, now()]]));
    expect(await uses.read([id])).toEqual(new Map());
  });

  it('never goes back', async () => {
    const { id } = await fixture.key();
    const { keyUses } = fixture.registry.store;
    for (const at of [now(), now() - 3_600_000, now() + 59_999]) await keyUses.note(new Map([[id, at]]));
    expect(await keyUses.read([id, 'absent'])).toEqual(new Map([[id, now()]]));
  });

  it('is bounded while the store is slow, and a store that fails harms no call', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const sizes: number[] = [];
    const slow = new KeyUses({
      store: {
        note: async (noted) => {
          sizes.push(noted.size);
          await gate;
          throw new Error('disk full');
        },
        read: async () => new Map(),
      },
      onError: (error) => errors.push(error),
    });
    for (let i = 0; i < 100_000; i++) slow.used(`k${i}`, i);
    const done = slow.flush();
    release();
    await done;
    // In small pieces; the first failure ends the attempt.
    expect(sizes).toEqual([200]);
    expect(errors.map(String)).toContain('Error: disk full');
  });
});
