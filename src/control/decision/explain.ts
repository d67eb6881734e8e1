import type {
  ExplainDecisionRequest,
  ExplainDecisionRequest_CertificateNames,
} from '../../../generated/tollgate/admin/v1/decision.ts';
import type { AuthenticationManager } from '../../auth/authentication-manager.ts';
import type { Call, Credential, Finding, PeerIdentity, Principal, Refusal } from '../../chain/call.ts';
import type { MiddlewareChain, StageFindings } from '../../chain/chain.ts';
import { credentialInvalid } from '../../chain/refusal.ts';
import type { MethodEntry } from '../../contracts/method-entry.ts';
import { HeaderBlock } from '../../http2/index.ts';
import { HEADER_NAMES } from '../../routing/header-names.ts';
import { RequestHead } from '../../routing/request-head.ts';
import type { DocumentStore } from '../../store/store.ts';
import { effectivePlan } from '../../sync/effective-plan.ts';
import type { Snapshot } from '../../sync/snapshot.ts';
import { InvalidArgument } from '../../tenants/errors.ts';

export interface DecisionSource {
  /** Of the stages behind authentication. */
  readonly chain: Pick<MiddlewareChain, 'explain'>;
  readonly authentication: Pick<AuthenticationManager, 'admit' | 'admitHash'>;
  readonly documents: Pick<DocumentStore, 'get'>;
  readonly sync: { readonly current: Snapshot };
  /** The methods that a listener shows, by `:path`; undefined: there is none of this name. */
  methodsOf(listener: string): ReadonlyMap<string, MethodEntry> | undefined;
}

export interface Explanation {
  readonly stages: readonly StageFindings[];
  readonly principal: Principal | undefined;
  readonly plan: string;
  readonly version: number;
}

const IMAGINED_LIFE_MS = 3600_000;

/** A call that is not made. */
class ImaginedCall implements Call {
  readonly startedAt = performance.now();
  readonly remoteAddress = '';
  readonly peerIdentity: PeerIdentity | undefined;
  readonly snapshot: Snapshot;
  readonly method: MethodEntry | undefined;
  readonly credential: Credential;
  principal: Call['principal'] = undefined;
  tenant: Call['tenant'] = undefined;
  plan: Call['plan'] = undefined;
  reservedUnits = 0;
  countedBy: { running: number } | undefined = undefined;

  constructor(
    snapshot: Snapshot,
    method: MethodEntry | undefined,
    credential: Credential,
    peerIdentity: PeerIdentity | undefined,
  ) {
    this.peerIdentity = peerIdentity;
    this.snapshot = snapshot;
    this.method = method;
    this.credential = credential;
  }
}

/**
 * What becomes of a call, asked of the stages that decide about real ones. Who calls is found out by authentication itself,
 * from the metadata as from a real call's.
 * @throws InvalidArgument when there is no such listener, and what the store throws
 */
export async function explain(request: ExplainDecisionRequest, source: DecisionSource): Promise<Explanation> {
  const snapshot = source.sync.current;
  const methods = request.listener === '' ? snapshot.methods : source.methodsOf(request.listener);
  if (methods === undefined) throw new InvalidArgument('listener', `there is no listener "${request.listener}"`);
  const head = new RequestHead(toBlock(request), methods);
  const peer = request.clientCertificate && toPeer(request.clientCertificate);
  const call = new ImaginedCall(snapshot, head.method, head.credential, peer);
  const authentication = await authenticate(call, request, source);
  const first = { stage: 'authenticate', findings: [authentication] };
  const isOver = authentication.refusal !== undefined;
  const stages = isOver ? [first] : [first, ...(await source.chain.explain(call))];
  return { stages, principal: call.principal, plan: call.plan?.id ?? '', version: snapshot.version };
}

function toBlock({ method, metadata }: ExplainDecisionRequest): HeaderBlock {
  const field = (name: string, value: string) => HEADER_NAMES.field(name, value);
  const own = [field(':method', 'POST'), field(':path', `/${method}`), field('content-type', 'application/grpc')];
  return new HeaderBlock([...own, ...Object.entries(metadata).map(([name, value]) => field(name, value))]);
}

async function authenticate(call: Call, request: ExplainDecisionRequest, source: DecisionSource): Promise<Finding> {
  if (call.method?.policy.public) {
    return { rule: 'public', detail: 'the method takes no credential', refusal: undefined };
  }
  switch (request.caller?.$case) {
    case 'tenantId':
      return assume(call, request.caller.tenantId, request.scopes);
    case 'apiKeyId':
      return ofKey(call, request.caller.apiKeyId, source);
    default:
      return {
        rule: 'credential',
        detail: call.peerIdentity === undefined ? 'of the metadata' : 'of the metadata, or the client certificate',
        refusal: await source.authentication.admit(call),
      };
  }
}

/** A certificate with these names that is valid for as long as anybody looks. */
function toPeer({ uris, dnsNames }: ExplainDecisionRequest_CertificateNames): PeerIdentity {
  return {
    uris,
    dnsNames: dnsNames.map((name) => name.toLowerCase()),
    commonName: undefined,
    fingerprint: 'imagined',
    expiresAt: Date.now() + IMAGINED_LIFE_MS,
  };
}

/** Any credential of a tenant. */
function assume(call: Call, tenantId: string, scopes: readonly string[]): Finding {
  const tenant = call.snapshot.tenants.get(tenantId);
  const plan = tenant && effectivePlan(call.snapshot, tenant);
  if (tenant === undefined || tenant.suspended || plan === undefined) {
    const detail = tenant?.suspended ? 'the tenant is suspended' : 'there is no such tenant';
    return { rule: 'tenant', detail, refusal: credentialInvalid() };
  }
  call.principal = { id: '', tenantId, scopes: new Set(scopes) };
  call.tenant = tenant;
  call.plan = plan;
  return { rule: 'tenant', detail: 'any valid credential of the tenant', refusal: undefined };
}

async function ofKey(call: Call, id: string, source: DecisionSource): Promise<Finding> {
  const document = await source.documents.get('api_key', id);
  const refusal: Refusal | undefined =
    document?.hash === undefined ? credentialInvalid() : await source.authentication.admitHash(call, document.hash);
  const detail = document === undefined ? 'there is no such key' : `key of the tenant ${document.parent}`;
  return { rule: 'api_key', detail, refusal };
}
