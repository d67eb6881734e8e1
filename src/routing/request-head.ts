import { type Credential, NO_CREDENTIAL, type Principal } from '../chain/call.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import { isGrpcContentType } from '../grpc/content-type.ts';
import { parseTimeout } from '../grpc/timeout.ts';
import { type Field, HeaderBlock } from '../http2/index.ts';
import { credentialIn, recentForward, rememberForward } from './field-memos.ts';
import { HEADER_NAMES, isReserved, Kind } from './header-names.ts';

const POST = HEADER_NAMES.field(':method', 'POST');
const HTTP = HEADER_NAMES.field(':scheme', 'http');
const HTTPS = HEADER_NAMES.field(':scheme', 'https');
const NUMBER = /^\d{1,2}$/;
/** Two credentials may be two opinions: which one counts must not depend on the order of headers. */
const SEVERAL: Credential = { text: '', entry: undefined };
const TE_TRAILERS = HEADER_NAMES.field('te', 'trailers');

/**
 * What one distinct header block of a request says, read once and kept as the block's memo: most blocks repeat, and a call
 * whose block is known costs no look-up of path, credential or content type.
 */
export class RequestHead {
  /** The table that `method` was looked up in; another table makes the head stale. */
  readonly methods: ReadonlyMap<string, MethodEntry>;
  readonly method: MethodEntry | undefined;
  /** POST with a content type of gRPC (gRPC over HTTP/2, "Requests"). */
  readonly isGrpc: boolean;
  readonly isGet: boolean;
  readonly credential: Credential;
  /** Milliseconds of `grpc-timeout`; undefined when there is none, or none that can be read. */
  readonly timeoutMs: number | undefined;
  readonly requestId: string | undefined;
  /** The client's own retries (gRFC A6): a number. */
  readonly previousAttempts: Field | undefined;
  readonly path: Field | undefined;
  readonly authority: Field | undefined;
  /** What is passed on: content type and metadata. */
  readonly #passed: readonly Field[];
  #forward: HeaderBlock | undefined;
  #forwardFor: Principal | undefined;

  constructor(block: HeaderBlock, methods: ReadonlyMap<string, MethodEntry>) {
    this.methods = methods;
    const passed: Field[] = [];
    let isPost = false;
    let isGet = false;
    let isGrpc = false;
    let credentials = 0;
    let credential: Credential | undefined;
    for (const field of block.fields) {
      switch (field.kind) {
        case Kind.METHOD:
          isPost = field.value === 'POST';
          isGet = field.value === 'GET';
          break;
        case Kind.PATH:
          this.path = field;
          break;
        case Kind.AUTHORITY:
          this.authority = field;
          break;
        case Kind.CONTENT_TYPE:
          isGrpc = isGrpcContentType(field.value);
          passed.push(field);
          break;
        case Kind.AUTHORIZATION:
          credentials++;
          credential = credentialIn(field);
          break;
        case Kind.API_KEY:
          credentials++;
          credential = credentialIn(field);
          break;
        case Kind.TIMEOUT:
          this.timeoutMs = parseTimeout(field.value);
          break;
        case Kind.REQUEST_ID:
          this.requestId = field.value;
          break;
        case Kind.PREVIOUS_ATTEMPTS:
          if (NUMBER.test(field.value)) this.previousAttempts = field;
          break;
        case Kind.PUSHBACK:
          passed.push(field);
          break;
        case Kind.OTHER:
          if (!isReserved(field.name)) passed.push(field);
          break;
        default:
        // Set anew (:scheme, te), or never passed on (hop-by-hop, reserved names, a status in a request).
      }
    }
    this.isGrpc = isPost && isGrpc;
    this.isGet = isGet;
    this.credential = credential === undefined ? NO_CREDENTIAL : credentials === 1 ? credential : SEVERAL;
    this.method = this.path === undefined ? undefined : methods.get(this.path.value);
    this.#passed = passed;
  }

  /**
   * The request's headers as the backend gets them, but for those that change with each call. The same block as long as the
   * principal is the same, so that encoders know it.
   * @param added fields of the gateway for this backend, in front of the client's metadata
   */
  forwardBlock(principal: Principal | undefined, secure: boolean, added: readonly Field[]): HeaderBlock {
    if (this.#forward !== undefined && this.#forwardFor === principal) return this.#forward;
    this.#forward = this.#recentForward(principal) ?? this.#makeForward(principal, secure, added);
    this.#forwardFor = principal;
    return this.#forward;
  }

  #recentForward(principal: Principal | undefined): HeaderBlock | undefined {
    return this.path && recentForward(this.path, principal, this.authority, this.#passed);
  }

  #makeForward(principal: Principal | undefined, secure: boolean, added: readonly Field[]): HeaderBlock {
    const { path, authority } = this;
    const passed = this.#passed;
    const fields: Field[] = [POST, secure ? HTTPS : HTTP];
    if (path !== undefined) fields.push(path);
    if (authority !== undefined) fields.push(authority);
    fields.push(TE_TRAILERS, ...added);
    if (principal !== undefined) {
      fields.push(
        HEADER_NAMES.field('x-tenant-id', principal.tenantId),
        HEADER_NAMES.field('x-principal-id', principal.id),
      );
    }
    fields.push(...passed);
    const block = new HeaderBlock(fields);
    if (path !== undefined) rememberForward(path, block, principal, authority, passed);
    return block;
  }
}

/** The head of a block: the one remembered, unless contracts have changed since. */
export function readRequestHead(block: HeaderBlock, methods: ReadonlyMap<string, MethodEntry>): RequestHead {
  const memo = block.memo;
  if (memo instanceof RequestHead && memo.methods === methods) return memo;
  const head = new RequestHead(block, methods);
  block.memo = head;
  return head;
}
