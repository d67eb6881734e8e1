import { AuditEntry } from '../../../generated/tollgate/admin/v1/audit.ts';
import type { DoneRequest } from '../../store/journal.ts';
import type { Change, DocumentStore, Write } from '../../store/store.ts';
import type { ChangeListener, ConfigSync } from '../../sync/config-sync.ts';
import type { Snapshot } from '../../sync/snapshot.ts';
import type { Attempt, AuditLog } from './audit-log.ts';
import { resourceName, tenantOfWrite, toResourceChanges } from './resource-changes.ts';

export interface RecordedSyncOptions {
  readonly sync: ConfigSync;
  readonly documents: Pick<DocumentStore, 'get'>;
  readonly audit: AuditLog;
  readonly attempt: Attempt;
  readonly dryRun: boolean;
  /** Without its result, which is known when it is done. */
  readonly request: Omit<DoneRequest, 'result'> | undefined;
}

/**
 * `ConfigSync` in the name of one caller: what it changes goes into the store together with who changed it, from what to
 * what, and why.
 */
export class RecordedSync implements ConfigSync {
  readonly #options: RecordedSyncOptions;
  #result = '';

  constructor(options: RecordedSyncOptions) {
    this.#options = options;
  }

  /** What came of it (`api_key/abc`); empty when nothing was changed. */
  get result(): string {
    return this.#result;
  }

  get current(): Snapshot {
    return this.#options.sync.current;
  }

  async change(writes: readonly Write[]): Promise<Change> {
    const { sync, documents, audit, attempt, dryRun, request } = this.#options;
    // Writes say which version they expect: if this is not it, the commit is refused.
    const before = await Promise.all(writes.map(({ kind, id }) => documents.get(kind, id)));
    const [first] = writes;
    const result = first === undefined ? '' : `${first.kind}/${first.id}`;
    if (dryRun) return sync.change(writes, { dryRun });
    const entry: AuditEntry = { ...audit.begin(attempt), changes: toResourceChanges(writes, before) };
    const [tenantId, ...others] = new Set(writes.map((write, index) => tenantOfWrite(write, before[index])));
    if (tenantId !== undefined && others.length === 0) entry.tenantId = tenantId;
    if (first !== undefined && writes.length === 1) entry.resource = resourceName(first.kind, first.id);
    const change = await sync.change(writes, {
      audit: AuditEntry.encode(entry).finish(),
      request: request && { ...request, result },
    });
    this.#result = result;
    audit.tell({ ...entry, version: change.version });
    return change;
  }

  onChange(listener: ChangeListener): () => void {
    return this.#options.sync.onChange(listener);
  }

  setMethods(methods: Snapshot['methods']): void {
    this.#options.sync.setMethods(methods);
  }
}
