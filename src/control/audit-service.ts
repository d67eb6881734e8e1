import { createHash } from 'node:crypto';
import type { ServerWritableStream } from '@grpc/grpc-js';
import {
  AuditEntry,
  type AuditServiceServer,
  type ListAuditEntriesRequest,
  type ListAuditEntriesResponse,
  type WatchChangesRequest,
  type WatchChangesResponse,
} from '../../generated/tollgate/admin/v1/audit.ts';
import { Code } from '../grpc/status.ts';
import { BadCursor, type Journal, type JournalEntry } from '../store/journal.ts';
import type { Logger } from '../telemetry/logger.ts';
import { InvalidArgument } from '../tenants/errors.ts';
import { decodePageToken, encodePageToken, pageLimit } from '../tenants/page-token.ts';
import { type ChangelogSource, watchChanges } from './audit/watch.ts';
import { readCaller } from './caller.ts';
import { ControlError } from './control-error.ts';
import { toErrorStatus } from './error-status.ts';
import { createUnaryHandler } from './unary-handler.ts';

/** Entries looked at for one page: with a filter that few match it ends early, and the next goes on. */
const LOOK_AT = 5000;
const PIECE = 500;
const MAX_WATCHERS = 100;

/** `tollgate.admin.v1.AuditService`. */
export function createAuditService(source: ChangelogSource, log: Logger): AuditServiceServer {
  let watchers = 0;
  return {
    listAuditEntries: createUnaryHandler(log, (request: ListAuditEntriesRequest) => list(source.journal, request)),
    watchChanges(call: ServerWritableStream<WatchChangesRequest, WatchChangesResponse>) {
      const { requestId } = readCaller(call.metadata);
      if (watchers >= MAX_WATCHERS) {
        const message = `${MAX_WATCHERS} callers watch already: try another gateway, or later`;
        const error = new ControlError(Code.RESOURCE_EXHAUSTED, 'TOO_MANY_WATCHERS', message);
        return call.emit('error', toErrorStatus(error, requestId, log));
      }
      watchers++;
      watchChanges(call, source)
        .catch((error: unknown) => call.emit('error', toErrorStatus(error, requestId, log)))
        .finally(() => void watchers--);
    },
  };
}

async function list(journal: Journal, request: ListAuditEntriesRequest): Promise<ListAuditEntriesResponse> {
  const filter = JSON.stringify({ ...request, pageSize: 0, pageToken: '' });
  const name = `audit/${createHash('sha256').update(filter).digest('base64url')}`;
  const limit = pageLimit(request.pageSize);
  const entries: AuditEntry[] = [];
  let cursor = decodePageToken(name, request.pageToken);
  for (let looked = 0; looked < LOOK_AT; looked += PIECE) {
    const page = await read(journal, cursor, PIECE);
    for (const found of page.entries) {
      const entry = toMessage(found);
      if (!matches(entry, request)) continue;
      if (entries.length === limit) return { entries, nextPageToken: encodePageToken(name, cursor) };
      entries.push(entry);
      cursor = found.cursor;
    }
    if (!page.more) return { entries, nextPageToken: '' };
    cursor = page.entries.at(-1)?.cursor;
  }
  return { entries, nextPageToken: encodePageToken(name, cursor) };
}

async function read(journal: Journal, cursor: string | undefined, limit: number) {
  try {
    return await journal.list(cursor, limit);
  } catch (error) {
    if (!(error instanceof BadCursor)) throw error;
    throw new InvalidArgument('page_token', 'is not a next_page_token of this list; begin again without one');
  }
}

function toMessage({ body, version }: JournalEntry): AuditEntry {
  return { ...AuditEntry.decode(body), version: version ?? 0 };
}

function matches(entry: AuditEntry, request: ListAuditEntriesRequest): boolean {
  const { tenantId, principal, method, status, startTime, endTime } = request;
  const time = entry.time?.getTime() ?? 0;
  return (
    (tenantId === '' || tenantId === entry.tenantId || tenantId === entry.principalTenantId) &&
    (principal === '' || principal === entry.principal) &&
    (method === '' || method === entry.method || entry.method.endsWith(`/${method}`)) &&
    (status === '' || status === entry.status) &&
    (startTime === undefined || time >= startTime.getTime()) &&
    (endTime === undefined || time < endTime.getTime())
  );
}
