import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type DocumentStore,
  HashTaken,
  ReferenceMissing,
  StillReferenced,
  VersionConflict,
  type Write,
} from '../../../src/store/store.ts';
import { bytes } from '../support.ts';
import type { DocumentsFixture } from './fixture.ts';

const put = (kind: Write['kind'], id: string, over: object = {}): Write => ({
  op: 'put',
  kind,
  id,
  body: bytes(id),
  ...over,
});
const remove = (kind: Write['kind'], id: string, expected?: number): Write => ({ op: 'delete', kind, id, expected });

/** What holds of documents in every store. */
export function documentsContract(openFixture: () => Promise<DocumentsFixture>): void {
  describe('documents', () => {
    let fixture: DocumentsFixture;
    let documents: DocumentStore;

    beforeEach(async () => {
      fixture = await openFixture();
      documents = await fixture.open();
    });
    afterEach(() => fixture.close());

    it('get one version per change, and keep their time of creation', async () => {
      const first = await documents.commit([put('plan', 'a'), put('plan', 'b')]);
      fixture.clock.ms += 1000;
      const second = await documents.commit([put('plan', 'a', { body: bytes('new') })]);
      expect([first.version, second.version, await documents.version()]).toEqual([1, 2, 2]);
      expect(await documents.get('plan', 'a')).toEqual({
        kind: 'plan',
        id: 'a',
        version: 2,
        createdAt: 1_700_000_000_000,
        updatedAt: 1_700_000_001_000,
        body: bytes('new'),
        hash: undefined,
        parent: undefined,
        reference: undefined,
      });
      expect(await documents.get('plan', 'none')).toBeUndefined();
    });

    it('are written all or not at all', async () => {
      await documents.commit([put('plan', 'a')]);
      const conflict = documents.commit([put('plan', 'b'), put('plan', 'a', { expected: 0 })]);
      await expect(conflict).rejects.toThrow(VersionConflict);
      await expect(conflict).rejects.toMatchObject({ kind: 'plan', id: 'a', current: 1 });
      expect(await documents.get('plan', 'b')).toBeUndefined();
      expect(await documents.version()).toBe(1);
    });

    it('check expected versions on put and delete', async () => {
      await documents.commit([put('plan', 'a', { expected: 0 })]);
      await documents.commit([put('plan', 'a', { expected: 1 })]);
      await expect(documents.commit([put('plan', 'a', { expected: 1 })])).rejects.toMatchObject({ current: 2 });
      await expect(documents.commit([remove('plan', 'a', 1)])).rejects.toMatchObject({ current: 2 });
      await expect(documents.commit([remove('plan', 'none', 7)])).rejects.toMatchObject({ current: 0 });
      expect((await documents.commit([remove('plan', 'a', 2)])).deleted).toEqual([
        { kind: 'plan', id: 'a', hash: undefined },
      ]);
    });

    it('make no version when nothing was written', async () => {
      expect(await documents.commit([remove('plan', 'none')])).toEqual({
        version: 0,
        documents: [],
        deleted: [],
        hashes: [],
      });
      expect(await documents.version()).toBe(0);
    });

    it('are found by hash, which is unique in its kind; the change names old and new hashes', async () => {
      await documents.commit([put('tenant', 't'), put('api_key', 'k', { hash: 'h1', parent: 't' })]);
      expect((await documents.getByHash('api_key', 'h1'))?.id).toBe('k');
      await expect(documents.commit([put('api_key', 'other', { hash: 'h1' })])).rejects.toThrow(HashTaken);
      const change = await documents.commit([put('api_key', 'k', { hash: 'h2', parent: 't' })]);
      expect(change.hashes.toSorted()).toEqual(['h1', 'h2']);
      expect(await documents.getByHash('api_key', 'h1')).toBeUndefined();
      expect((await documents.getByHash('api_key', 'h2'))?.id).toBe('k');
    });

    it('are deleted with their parent, and only with a parent of the right kind', async () => {
      await documents.commit([
        put('plan', 'same'),
        put('tenant', 'same'),
        put('api_key', 'k1', { parent: 'same', hash: 'h1' }),
        put('api_key', 'k2', { parent: 'same', hash: 'h2' }),
      ]);
      expect((await documents.commit([remove('plan', 'same')])).deleted).toHaveLength(1);
      const change = await documents.commit([remove('tenant', 'same')]);
      expect(change.deleted.map(({ id }) => id).toSorted()).toEqual(['k1', 'k2', 'same']);
      expect(change.hashes.toSorted()).toEqual(['h1', 'h2']);
      expect(await documents.getByHash('api_key', 'h1')).toBeUndefined();
    });

    it('need their parent and their reference, and keep the latter from being deleted', async () => {
      await expect(documents.commit([put('api_key', 'k', { parent: 'none' })])).rejects.toThrow(ReferenceMissing);
      await expect(documents.commit([put('tenant', 't', { reference: 'none' })])).rejects.toThrow(ReferenceMissing);
      await documents.commit([put('tenant', 't', { reference: 'p' }), put('plan', 'p')]);
      const refused = documents.commit([remove('plan', 'p')]);
      await expect(refused).rejects.toThrow(StillReferenced);
      await expect(refused).rejects.toMatchObject({ by: { kind: 'tenant', id: 't' } });
      await documents.commit([remove('plan', 'p'), remove('tenant', 't')]);
      expect(await documents.get('plan', 'p')).toBeUndefined();
    });

    it('are listed by id in pages, all or by parent', async () => {
      await documents.commit([put('tenant', 'a'), put('tenant', 'b')]);
      await documents.commit(
        Array.from({ length: 7 }, (_, i) => put('api_key', `k${i}`, { parent: i % 2 ? 'a' : 'b', hash: `h${i}` })),
      );
      const pages: string[][] = [];
      let after: string | undefined;
      do {
        const page = await documents.list('api_key', { after, limit: 3 });
        pages.push(page.documents.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined);
      expect(pages).toEqual([['k0', 'k1', 'k2'], ['k3', 'k4', 'k5'], ['k6']]);
      const ofA = await documents.list('api_key', { limit: 3, parent: 'a' });
      expect(ofA.documents.map(({ id }) => id)).toEqual(['k1', 'k3', 'k5']);
      expect(ofA.next).toBeUndefined();
    });

    it('keep a log of the last changes, as they were returned', async () => {
      documents = await fixture.reopen(3);
      const made = [];
      made.push(await documents.commit([put('tenant', 't'), put('api_key', 'k', { parent: 't', hash: 'h' })]));
      made.push(await documents.commit([put('api_key', 'k', { parent: 't', hash: 'h2' })]));
      made.push(await documents.commit([remove('tenant', 't')]));
      expect(await documents.changes(0, 10)).toEqual(made);
      expect(await documents.changes(1, 1)).toEqual([made[1]]);
      expect(await documents.changes(3, 10)).toEqual([]);
      await documents.commit([put('plan', 'p')]);
      expect(await documents.changes(0, 10)).toBeUndefined();
      expect(await documents.changes(1, 10)).toHaveLength(3);
      expect(await (await fixture.reopen(3)).version()).toBe(4);
    });
  });
}
