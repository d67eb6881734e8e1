import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BadCursor, type Journal, REQUEST_LIFE_MS, RequestDone, type Retention } from '../../../src/store/journal.ts';
import { type DocumentStore, VersionConflict, type Write } from '../../../src/store/store.ts';
import { bytes, type FakeClock } from '../support.ts';

export interface JournalFixture {
  readonly clock: FakeClock;
  readonly documents: DocumentStore;
  readonly journal: Journal;
  close(): Promise<void>;
}

const RETENTION: Retention = { changes: 100, refusals: 100, ageMs: 1e12 };
const put = (id: string, expected?: number): Write => ({ op: 'put', kind: 'plan', id, body: bytes(id), expected });
const request = (key: string) => ({ key, fingerprint: `f-${key}`, result: `plan/${key}` });

/** What holds of the audit log and of requests that are done once, in every store. */
export function journalContract(open: (retention: Retention) => Promise<JournalFixture>): void {
  describe('the journal', () => {
    let fixture: JournalFixture;
    beforeEach(async () => {
      fixture = await open(RETENTION);
    });
    afterEach(() => fixture.close());

    const texts = async (limit: number, cursor?: string) => {
      const { entries, more } = await fixture.journal.list(cursor, limit);
      return { texts: entries.map(({ body }) => Buffer.from(body).toString()), more, last: entries.at(-1)?.cursor };
    };

    it('has what came with a commit, and nothing of one that was refused', async () => {
      const { documents, journal } = fixture;
      const { version } = await documents.commit([put('a')], { audit: bytes('made a') });
      await expect(documents.commit([put('a', 7)], { audit: bytes('never') })).rejects.toThrow(VersionConflict);
      fixture.clock.ms += 1;
      await journal.append(bytes('refused'), true);
      expect(await journal.list(undefined, 10)).toMatchObject({
        entries: [
          { version: undefined, at: fixture.clock.ms },
          { version, at: fixture.clock.ms - 1 },
        ],
        more: false,
      });
      expect((await texts(10)).texts).toEqual(['refused', 'made a']);
      const told = [...(await journal.ofVersions(1, 9))].map(([of, body]) => [of, Buffer.from(body).toString()]);
      expect(told).toEqual([[version, 'made a']]);
    });

    it('is listed the last first, in pages that have every entry once', async () => {
      const { documents, journal, clock } = fixture;
      const expected: string[] = [];
      for (let i = 0; i < 20; i++) {
        clock.ms += 1;
        if (i % 3 === 0) await journal.append(bytes(`n${i}`), true);
        else if (i % 3 === 1) await journal.append(bytes(`n${i}`), false);
        else await documents.commit([put(`p${i}`)], { audit: bytes(`n${i}`) });
        expected.unshift(`n${i}`);
      }
      const seen: string[] = [];
      let page = await texts(3);
      seen.push(...page.texts);
      while (page.more) {
        page = await texts(3, page.last);
        seen.push(...page.texts);
      }
      expect(seen).toEqual(expected);
      await expect(journal.list('made up', 3)).rejects.toThrow(BadCursor);
    });

    it('keeps as many as it is told, refusals by themselves', async () => {
      for (let i = 0; i < 20; i++) await fixture.journal.append(bytes(`change ${i}`), false);
      for (let i = 0; i < 350; i++) await fixture.journal.append(bytes(`refusal ${i}`), true);
      const all = (await fixture.journal.list(undefined, 1000)).entries.map(({ body }) => Buffer.from(body).toString());
      // The oldest go now and then, not with every entry.
      expect(all.length).toBeGreaterThanOrEqual(120);
      expect(all.length).toBeLessThanOrEqual(220);
      expect(all).toContain('refusal 349');
      expect(all.filter((text) => text.startsWith('change'))).toHaveLength(20);
    });

    it('gives a dry run as the change would be, and writes nothing', async () => {
      const { documents, journal } = fixture;
      await documents.commit([put('a')]);
      const dry = { dryRun: true, audit: bytes('never'), request: request('r') };
      const change = await documents.commit([put('a', 1), put('b', 0)], dry);
      expect(change).toMatchObject({ version: 2, documents: [{ id: 'a' }, { id: 'b', version: 2 }] });
      await expect(documents.commit([put('a', 7)], dry)).rejects.toThrow(VersionConflict);
      expect([await documents.version(), await documents.get('plan', 'b')]).toEqual([1, undefined]);
      expect((await journal.list(undefined, 9)).entries).toEqual([]);
      expect(await journal.findRequest('r')).toBeUndefined();
      expect((await documents.commit([put('b', 0)])).version).toBe(2);
    });

    it('does a request once', async () => {
      const { documents, journal } = fixture;
      await documents.commit([put('a')], { request: request('r') });
      const again = documents.commit([put('b')], { request: request('r') });
      await expect(again).rejects.toThrow(RequestDone);
      await expect(again).rejects.toMatchObject({ request: request('r') });
      expect([await documents.version(), await documents.get('plan', 'b')]).toEqual([1, undefined]);
      expect(await journal.findRequest('r')).toEqual(request('r'));
      await journal.rememberRequest(request('s'));
      expect(await journal.findRequest('s')).toEqual(request('s'));
    });

    it('forgets a request after a day', async () => {
      const { documents, journal, clock } = fixture;
      await documents.commit([put('a')], { request: request('r') });
      clock.ms += REQUEST_LIFE_MS;
      expect(await journal.findRequest('r')).toBeUndefined();
      await documents.commit([put('b')], { request: request('r') });
      expect(await documents.version()).toBe(2);
    });
  });
}
