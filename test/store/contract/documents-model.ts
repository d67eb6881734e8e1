import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, DocumentKind, DocumentStore, Write } from '../../../src/store/store.ts';
import { bytes } from '../support.ts';
import type { DocumentsFixture } from './fixture.ts';

interface Model {
  version: number;
  readonly documents: Map<
    string,
    { version: number; body: string; hash?: string; parent?: string; reference?: string }
  >;
}

/** What the interface says, in the plainest words: the new state, or undefined when the commit must be refused. */
function commit(model: Model, writes: readonly Write[]): Model | undefined {
  const documents = new Map(model.documents);
  const version = model.version + 1;
  let wrote = false;
  const gone: string[] = [];
  for (const write of writes) {
    const key = `${write.kind}/${write.id}`;
    const before = documents.get(key);
    if (write.expected !== undefined && write.expected !== (before?.version ?? 0)) return undefined;
    if (write.op === 'put') {
      const { hash, parent, reference } = write;
      for (const [other, doc] of documents)
        if (other !== key && hash !== undefined && doc.hash === hash) return undefined;
      documents.set(key, { version, body: new TextDecoder().decode(write.body), hash, parent, reference });
      wrote = true;
    } else if (before !== undefined) {
      wrote = true;
      documents.delete(key);
      gone.push(key);
      if (write.kind === 'tenant') {
        for (const [other, doc] of documents) {
          if (other.startsWith('api_key/') && doc.parent === write.id) documents.delete(other);
        }
      }
    }
  }
  for (const doc of documents.values()) {
    if (doc.version !== version) continue;
    if (doc.parent !== undefined && !documents.has(`tenant/${doc.parent}`)) return undefined;
    if (doc.reference !== undefined && !documents.has(`plan/${doc.reference}`)) return undefined;
  }
  for (const key of gone) {
    if (documents.has(key) || !key.startsWith('plan/')) continue;
    for (const doc of documents.values()) if (`plan/${doc.reference}` === key) return undefined;
  }
  return { version: wrote ? version : model.version, documents };
}

const id = fc.constantFrom('a', 'b', 'c');
const expected = fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined, freq: 3 });
const body = fc.string({ maxLength: 4 }).map(bytes);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const op = fc.constant('put' as const);
const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ op, kind: fc.constant('plan' as const), id, body, expected }),
  fc.record({ op, kind: fc.constant('tenant' as const), id, body, expected, reference: maybe(id) }),
  fc.record({ op, kind: fc.constant('api_key' as const), id, body, expected, parent: maybe(id), hash: maybe(id) }),
  fc.record({
    op: fc.constant('delete' as const),
    kind: fc.constantFrom<DocumentKind>('plan', 'tenant', 'api_key'),
    id,
    expected,
  }),
);

/** Every store does what a model of a few lines does. */
export function documentsModel(openFixture: () => Promise<DocumentsFixture>): void {
  describe('the document store, against a model', () => {
    let fixture: DocumentsFixture;
    let store: DocumentStore;
    beforeAll(async () => {
      fixture = await openFixture();
      store = await fixture.open();
    });
    afterAll(() => fixture.close());

    it('holds what random commits and reopens leave, and its log replays to the same', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.oneof(
              { weight: 9, arbitrary: fc.array(write, { maxLength: 4 }) },
              { weight: 1, arbitrary: fc.constant('reopen' as const) },
            ),
            {
              maxLength: 15,
            },
          ),
          async (steps) => {
            // Every run starts from nothing, at the version where the run before has ended.
            const clean: Write[] = [];
            for (const kind of ['tenant', 'api_key', 'plan'] as const) {
              const page = await store.list(kind, { limit: 100 });
              clean.push(...page.documents.map((d): Write => ({ op: 'delete', kind, id: d.id })));
            }
            await store.commit(clean);
            const base = await store.version();
            let model: Model = { version: base, documents: new Map() };
            for (const step of steps) {
              if (step === 'reopen') {
                store = await fixture.reopen();
                continue;
              }
              // Expected versions are drawn relative to the run's first.
              const writes = step.map((w): Write => ({ ...w, expected: w.expected ? w.expected + base : w.expected }));
              const next = commit(model, writes);
              const result = await store.commit(writes).catch(() => undefined);
              expect(result?.version).toBe(next?.version);
              model = next ?? model;
            }
            expect(await contents(store)).toEqual(sorted(model));
            expect(replay((await store.changes(base, 1000)) ?? [])).toEqual(sorted(model).map(([key]) => key));
          },
        ),
        { numRuns: 60 },
      );
    });
  });
}

async function contents(store: DocumentStore): Promise<[string, object][]> {
  const all: [string, object][] = [];
  for (const kind of ['api_key', 'plan', 'tenant'] as const) {
    for (const d of (await store.list(kind, { limit: 100 })).documents) {
      const { version, hash, parent, reference } = d;
      all.push([`${kind}/${d.id}`, { version, body: new TextDecoder().decode(d.body), hash, parent, reference }]);
      if (hash !== undefined) expect((await store.getByHash(kind, hash))?.id).toBe(d.id);
    }
  }
  return all;
}

function sorted(model: Model): [string, object][] {
  return [...model.documents].sort(([a], [b]) => (a < b ? -1 : 1));
}

function replay(changes: readonly Change[]): string[] {
  const keys = new Set<string>();
  for (const change of changes) {
    for (const { kind, id } of change.deleted) keys.delete(`${kind}/${id}`);
    for (const { kind, id } of change.documents) keys.add(`${kind}/${id}`);
  }
  return [...keys].sort();
}
