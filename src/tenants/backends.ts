import type {
  Backend,
  CreateBackendRequest,
  DeleteBackendRequest,
  GetBackendRequest,
  ListBackendsRequest,
  ListBackendsResponse,
  UpdateBackendRequest,
} from '../../generated/tollgate/admin/v1/backend.ts';
import { parseAddress } from '../config/address.ts';
import { CONTROL_BACKEND } from '../contracts/builtin.ts';
import { Code, codeOf } from '../grpc/status.ts';
import type { ConfigSync } from '../sync/config-sync.ts';
import { readClientTls } from '../tls/client-certificates.ts';
import type { DocumentRegistry } from './document-registry.ts';
import { InvalidArgument } from './errors.ts';
import { maskedFields } from './field-mask.ts';
import { type GatewayFacts, refuseFilesOwn, refuseTooMany } from './gateway-facts.ts';
import { backendContent, backendOf } from './stored.ts';

const FIELDS = [
  'endpoints',
  'breaker',
  'tls',
  'connect_timeout',
  'default_timeout',
  'max_connections',
  'retry',
] as const;
const ID = /^[a-z][a-z0-9-]{0,62}$/;

/** Backends, in the requests and answers of `tollgate.admin.v1.BackendService`. */
export class BackendRegistry {
  readonly #documents: DocumentRegistry;
  readonly #sync: Pick<ConfigSync, 'current'>;
  readonly #facts: GatewayFacts;

  constructor(documents: DocumentRegistry, sync: Pick<ConfigSync, 'current'>, facts: GatewayFacts) {
    this.#documents = documents;
    this.#sync = sync;
    this.#facts = facts;
  }

  /** @throws InvalidArgument, AlreadyExists, FailedPrecondition (the file defines it; too many) */
  async create({ backendId, backend }: CreateBackendRequest): Promise<Backend> {
    if (backend === undefined) throw new InvalidArgument('backend', 'is missing');
    if (!ID.test(backendId)) throw new InvalidArgument('backend_id', `must match ${ID.source}`);
    if (backendId === CONTROL_BACKEND) throw new InvalidArgument('backend_id', `"${backendId}" is the gateway's own`);
    refuseFilesOwn('backend', backendId, this.#facts);
    refuseTooMany('backend', this.#sync.current.backends.size);
    const created: Backend = { ...backend, id: backendId };
    checkBackend(created, this.#facts);
    return backendOf(await this.#documents.create(backendId, backendContent(created)));
  }

  /** @throws NotFound */
  async get({ id }: GetBackendRequest): Promise<Backend> {
    return this.#facts.backends.get(id) ?? backendOf(await this.#documents.get(id));
  }

  /** @throws InvalidArgument */
  async list(request: ListBackendsRequest): Promise<ListBackendsResponse> {
    const ofFile = this.#facts.backends;
    const { entries, nextPageToken } = await this.#documents.listAmong(request, [...ofFile.keys()]);
    const backends = entries.map(({ id, document }) => (document === undefined ? ofFile.get(id) : backendOf(document)));
    return { backends: backends.filter((backend) => backend !== undefined), nextPageToken };
  }

  /** @throws NotFound, EtagMismatch, InvalidArgument, FailedPrecondition (the file defines it) */
  async update({ backend, updateMask }: UpdateBackendRequest): Promise<Backend> {
    if (backend === undefined) throw new InvalidArgument('backend', 'is missing');
    refuseFilesOwn('backend', backend.id, this.#facts);
    const fields = maskedFields(updateMask, FIELDS);
    const document = await this.#documents.update(backend.id, backend.etag, (current) => {
      const next = backendOf(current);
      if (fields.has('endpoints')) next.endpoints = backend.endpoints;
      if (fields.has('breaker')) next.breaker = backend.breaker;
      if (fields.has('tls')) next.tls = backend.tls;
      if (fields.has('connect_timeout')) next.connectTimeout = backend.connectTimeout;
      if (fields.has('default_timeout')) next.defaultTimeout = backend.defaultTimeout;
      if (fields.has('max_connections')) next.maxConnections = backend.maxConnections;
      if (fields.has('retry')) next.retry = backend.retry;
      checkBackend(next, this.#facts);
      return backendContent(next);
    });
    return backendOf(document);
  }

  /** @throws NotFound, EtagMismatch, FailedPrecondition (a contract has it; the file defines it) */
  async delete({ id, etag }: DeleteBackendRequest): Promise<void> {
    refuseFilesOwn('backend', id, this.#facts);
    await this.#documents.delete(id, etag);
  }
}

/** What the rules in the proto do not say. @throws InvalidArgument */
function checkBackend({ endpoints, breaker, tls }: Backend, facts: GatewayFacts): void {
  if (endpoints.length === 0) throw new InvalidArgument('backend.endpoints', 'needs at least one: host:port');
  endpoints.forEach((endpoint, index) => {
    const why = faultOfEndpoint(endpoint, facts);
    if (why !== undefined) throw new InvalidArgument(`backend.endpoints[${index}]`, why);
  });
  breaker?.failureStatuses.forEach((name, index) => {
    const code = codeOf(name);
    if (code !== undefined && code !== Code.OK) return;
    const why = `"${name}" is no gRPC status that can be a failure: UNAVAILABLE, INTERNAL, ...`;
    throw new InvalidArgument(`backend.breaker.failure_statuses[${index}]`, why);
  });
  if (tls === undefined || tls.caPem === '') return;
  try {
    readClientTls({ ca: 'ca_pem', serverName: undefined, cert: undefined, key: undefined }, () =>
      Buffer.from(tls.caPem),
    );
  } catch {
    throw new InvalidArgument('backend.tls.ca_pem', 'holds no certificate in PEM form that can be read');
  }
}

function faultOfEndpoint(text: string, facts: GatewayFacts): string | undefined {
  try {
    const refusal = facts.refusalOf(parseAddress(text));
    return refusal && `${text} ${refusal}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
