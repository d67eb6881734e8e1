import type { ServerWritableStream } from '@grpc/grpc-js';
import {
  AuditEntry,
  type WatchChangesRequest,
  type WatchChangesResponse,
} from '../../../generated/tollgate/admin/v1/audit.ts';
import { Code } from '../../grpc/status.ts';
import type { Journal } from '../../store/journal.ts';
import type { Change, DocumentStore } from '../../store/store.ts';
import type { ConfigSync } from '../../sync/config-sync.ts';
import { ControlError } from '../control-error.ts';
import { resourceName } from './resource-changes.ts';

/** Where changes are read, and who made them. */
export interface ChangelogSource {
  readonly documents: Pick<DocumentStore, 'changes' | 'version'>;
  readonly journal: Journal;
  readonly sync: Pick<ConfigSync, 'onChange'>;
}

type Call = ServerWritableStream<WatchChangesRequest, WatchChangesResponse>;

const PAGE = 100;
const MAX_RESOURCES = 100;

/**
 * Tells of changes until the caller goes away. Nothing is queued for a watcher: what it has not taken is read from the
 * store's log when it has, and is no longer there for one that is slower than the log is long.
 * @throws ControlError OUT_OF_RANGE, and what the store throws
 */
export async function watchChanges(call: Call, source: ChangelogSource): Promise<void> {
  const wake = new Wake();
  const unsubscribe = source.sync.onChange(() => wake.ring());
  call.on('drain', () => wake.ring());
  for (const end of ['cancelled', 'close', 'error'] as const) call.on(end, () => wake.stop());
  try {
    let version = call.request.afterVersion ?? (await source.documents.version());
    call.write({ version, resources: [], resourceCount: 0, entry: undefined });
    while (!wake.stopped) {
      const changes = call.writableNeedDrain ? [] : await read(source, version);
      for (const answer of changes) {
        version = answer.version;
        call.write(answer);
      }
      if (changes.length === 0) await wake.wait();
    }
  } finally {
    unsubscribe();
  }
}

async function read({ documents, journal }: ChangelogSource, after: number): Promise<WatchChangesResponse[]> {
  const changes = await documents.changes(after, PAGE);
  if (changes === undefined) {
    const message = `the log of changes no longer has version ${after + 1}: read the configuration anew, and watch from now`;
    throw new ControlError(Code.OUT_OF_RANGE, 'CHANGES_GONE', message);
  }
  const [first, last] = [changes[0], changes.at(-1)];
  if (first === undefined || last === undefined) return [];
  const entries = await journal.ofVersions(first.version, last.version);
  return changes.map((change) => toAnswer(change, entries.get(change.version)));
}

function toAnswer({ version, documents, deleted }: Change, body: Uint8Array | undefined): WatchChangesResponse {
  const touched = [...documents, ...deleted];
  return {
    version,
    resources: touched.slice(0, MAX_RESOURCES).map(({ kind, id }) => resourceName(kind, id)),
    resourceCount: touched.length,
    entry: body && { ...AuditEntry.decode(body), version },
  };
}

/** Something to wait for that may have happened already. */
class Wake {
  stopped = false;
  #rung = false;
  #resolve: (() => void) | undefined = undefined;

  ring(): void {
    this.#rung = true;
    this.#resolve?.();
  }

  stop(): void {
    this.stopped = true;
    this.ring();
  }

  async wait(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#rung = false;
    this.#resolve = undefined;
  }
}
