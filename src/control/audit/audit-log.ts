import { AuditEntry } from '../../../generated/tollgate/admin/v1/audit.ts';
import { codeName } from '../../grpc/status.ts';
import type { Journal } from '../../store/journal.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Caller } from '../caller.ts';
import { RefusalBudget } from './refusal-budget.ts';
import { subjectOf } from './subject.ts';

/** A call that changes something, or was to. */
export interface Attempt {
  readonly caller: Caller;
  /** `/pkg.Service/Method`. */
  readonly path: string;
  readonly request: unknown;
}

export interface AuditLogOptions {
  readonly journal: Journal;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/** Writes audit entries to the store, and each as a JSON line to the log, for collection. */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #budget: RefusalBudget;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#budget = new RefusalBudget(options.now);
  }

  /** An entry of a change that is about to be made. */
  begin({ caller, path, request }: Attempt): AuditEntry {
    const { resource, tenantId, reason } = subjectOf(path, request);
    return AuditEntry.fromPartial({
      time: new Date(this.#options.now()),
      principal: caller.principalId,
      principalTenantId: caller.tenantId,
      role: caller.role ?? '',
      remoteAddress: caller.remoteAddress,
      method: path.slice(1),
      tenantId,
      resource,
      reason,
      status: 'OK',
      callId: caller.requestId,
    });
  }

  /** Writes an entry that went with no commit. */
  async append(entry: AuditEntry): Promise<void> {
    await this.#options.journal.append(AuditEntry.encode(entry).finish(), entry.status !== 'OK');
    this.tell(entry);
  }

  /** The JSON line of an entry that is in the store. */
  tell(entry: AuditEntry): void {
    this.#options.log.info({ audit: AuditEntry.toJSON(entry) }, 'audit');
  }

  /**
   * Writes down that a change was refused. Of a caller who is refused again and again only some: the next entry says how many
   * were left out. Never fails: the refusal stands, whether or not it can be written down.
   */
  async refused(attempt: Attempt, code: number, message: string): Promise<void> {
    const { caller } = attempt;
    const omitted = this.#budget.take(`${caller.tenantId}/${caller.principalId}`);
    if (omitted === undefined) return;
    const entry = { ...this.begin(attempt), status: codeName(code), message, omitted };
    try {
      await this.append(entry);
    } catch (error) {
      this.#options.log.error(
        { err: error, audit: AuditEntry.toJSON(entry) },
        'a refused change is not in the audit log',
      );
    }
  }
}
