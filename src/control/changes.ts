import { createHash } from 'node:crypto';
import type { handleUnaryCall } from '@grpc/grpc-js';
import { Code } from '../grpc/status.ts';
import { type DoneRequest, type Journal, RequestDone } from '../store/journal.ts';
import type { DocumentStore } from '../store/store.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import { AuditLog } from './audit/audit-log.ts';
import { RecordedSync } from './audit/recorded-sync.ts';
import type { Caller } from './caller.ts';
import { ControlError } from './control-error.ts';
import { createUnaryHandler } from './unary-handler.ts';

/** What every request to change something may say. */
export interface ChangeRequest {
  readonly requestId?: string | undefined;
  readonly validateOnly?: boolean | undefined;
  readonly reason?: string | undefined;
}

/** A method that changes something. */
export interface ChangeMethod<Request, Response> {
  /** @param tenants the registry, whose changes are made in the caller's name: written down, and not at all if only checked */
  run(request: Request, caller: Caller, tenants: TenantManager): Response | Promise<Response>;
  /** The answer to a request that was done before. @param id of what it made or changed; empty when that is not a document */
  repeat(request: Request, caller: Caller, id: string): Response | Promise<Response>;
}

export interface ChangesOptions {
  readonly tenants: TenantManager;
  readonly documents: Pick<DocumentStore, 'get'>;
  readonly sync: ConfigSync;
  readonly journal: Journal;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

interface Definition<Request> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
}

/** Methods that look, by their names; what is none of these changes something. */
const LOOKS = /\/(Get|List|Watch|Wait|Explain|Top)\w*$/;

/** @param path `/pkg.Service/Method` of a service of the gateway's own */
export function changesSomething(path: string): boolean {
  return path.startsWith('/tollgate.') && !LOOKS.test(path);
}

/** Makes the handlers of what changes something: each change is written down, done once, or only checked. */
export class Changes {
  readonly audit: AuditLog;
  readonly #options: ChangesOptions;
  readonly #paths = new Set<string>();

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.audit = new AuditLog(options);
  }

  /** @throws when a method that changes something has a handler of another kind: its changes would not be written down */
  checkComplete(paths: Iterable<string>): void {
    const missing = [...paths].filter((path) => changesSomething(path) && !this.#paths.has(path));
    if (missing.length > 0) throw new Error(`made without Changes.handler: ${missing.join(', ')}`);
  }

  handler<Request extends ChangeRequest, Response>(
    definition: Definition<Request>,
    method: ChangeMethod<Request, Response>,
  ): handleUnaryCall<Request, Response> {
    this.#paths.add(definition.path);
    return createUnaryHandler(this.#options.log, async (request: Request, caller) => {
      const done = doneRequest(definition, request, caller);
      try {
        const known = done && (await this.#options.journal.findRequest(done.key));
        if (known !== undefined) throw new RequestDone(known);
        return await this.#run(definition.path, request, caller, done, method);
      } catch (error) {
        if (!(error instanceof RequestDone)) throw error;
        return await method.repeat(request, caller, idOfRepeated(error.request, done?.fingerprint));
      }
    });
  }

  /** For changes that no call asks for. @param what names them, in place of a method */
  recordedFor(principalId: string, what: string): TenantManager {
    const caller: Caller = {
      tenantId: '',
      principalId,
      requestId: '',
      remoteAddress: '',
      scopes: new Set(),
      role: 'owner',
    };
    const { tenants } = this.#options;
    const attempt = { caller, path: `/${what}`, request: {} };
    const sync = new RecordedSync({ ...this.#options, audit: this.audit, attempt, dryRun: false, request: undefined });
    return tenants.with(sync);
  }

  async #run<Request extends ChangeRequest, Response>(
    path: string,
    request: Request,
    caller: Caller,
    done: Omit<DoneRequest, 'result'> | undefined,
    method: ChangeMethod<Request, Response>,
  ): Promise<Response> {
    const { journal, tenants } = this.#options;
    const dryRun = request.validateOnly ?? false;
    const attempt = { caller, path, request };
    const sync = new RecordedSync({ ...this.#options, audit: this.audit, attempt, dryRun, request: done });
    const response = await method.run(request, caller, tenants.with(sync));
    if (sync.result === '' && !dryRun) {
      // Not a change of documents, or one that changed nothing: it was asked for all the same.
      await this.audit.append(this.audit.begin(attempt));
      if (done !== undefined) await journal.rememberRequest({ ...done, result: '' });
    }
    return response;
  }
}

function doneRequest<Request extends ChangeRequest>(
  { path, requestSerialize }: Definition<Request>,
  request: Request,
  { tenantId, principalId }: Caller,
): Omit<DoneRequest, 'result'> | undefined {
  if (request.requestId === undefined || request.requestId === '' || request.validateOnly) return undefined;
  const what = requestSerialize({ ...request, requestId: undefined, reason: undefined });
  return {
    key: digest(JSON.stringify([tenantId, principalId, path, request.requestId])),
    fingerprint: digest(what),
  };
}

/** @throws ControlError when it was another request that was done under this id */
function idOfRepeated({ fingerprint, result }: DoneRequest, asked: string | undefined): string {
  if (fingerprint === asked) return result.slice(result.indexOf('/') + 1);
  const description = 'is that of another request, which was done: a new request takes a new id';
  throw new ControlError(Code.INVALID_ARGUMENT, 'INVALID_REQUEST', `request_id: ${description}`, {
    fields: [{ field: 'request_id', description }],
  });
}

function digest(what: string | Uint8Array): string {
  return createHash('sha256').update(what).digest('base64url');
}
