import { type Credential, NO_CREDENTIAL, type Principal } from '../chain/call.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import { isGrpcContentType } from '../grpc/content-type.ts';
import { parseTimeout } from '../grpc/timeout.ts';
import { type Field, HeaderBlock } from '../http2/index.ts';
import { callerFields, credentialIn, RecentForward, recentForward, rememberForward } from './field-memos.ts';
import { HEADER_NAMES, isReserved, Kind } from './header-names.ts';
import { parseTraceparent, type TraceParent } from './trace-context.ts';

const POST = HEADER_NAMES.field(':method', 'POST');
const HTTP = HEADER_NAMES.field(':scheme', 'http');
const HTTPS = HEADER_NAMES.field(':scheme', 'https');
const NUMBER = /^\d{1,2}$/;
/** Two credentials may be two opinions: which one counts must not depend on the order of headers. */
const SEVERAL: Credential = { text: '', entry: undefined };
/** For requests that have none: servers on nghttp2, Node among them, refuse those. */
const NO_AUTHORITY = HEADER_NAMES.field(':authority', 'localhost');
const VISIBLE = /^[\x21-\x7e]+$/;
const NONE: readonly Field[] = [];
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
  /** `traceparent`, `tracestate` and `baggage`, as they came. */
  readonly traceFields: readonly Field[];
  readonly path: Field | undefined;
  /** The client's; made of `host` where there is only that (RFC 9113 section 8.3.1). */
  readonly authority: Field;
  /** What is passed on: content type and metadata. */
  readonly #passed: readonly Field[];
  #forwarded = false;
  #traceParent: TraceParent | null | undefined = undefined;
  #forward: HeaderBlock | undefined;
  #forwardFor: Principal | undefined;

  constructor(block: HeaderBlock, methods: ReadonlyMap<string, MethodEntry>) {
    this.methods = methods;
    let recent: RecentForward | undefined;
    /** How many fields are those that the path was forwarded with last; others begin a list of their own. */
    let same = 0;
    let passed: Field[] | undefined;
    let isPost = false;
    let isGet = false;
    let isGrpc = false;
    let credentials = 0;
    let traceFields: Field[] | undefined;
    let credential: Credential | undefined;
    let authority: Field | undefined;
    let host: Field | undefined;
    for (const field of block.fields) {
      let passes = false;
      switch (field.kind) {
        case Kind.METHOD:
          isPost = field.value === 'POST';
          isGet = field.value === 'GET';
          break;
        case Kind.PATH:
          this.path = field;
          this.method = methods.get(field.value);
          recent = recentForward(field, this.method);
          break;
        case Kind.AUTHORITY:
          authority = field;
          break;
        case Kind.HOST:
          host = field;
          break;
        case Kind.CONTENT_TYPE:
          isGrpc = isGrpcContentType(field.value);
          passes = true;
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
        case Kind.TRACEPARENT:
        case Kind.TRACESTATE:
        case Kind.BAGGAGE:
          traceFields ??= [];
          traceFields.push(field);
          break;
        case Kind.PUSHBACK:
          passes = true;
          break;
        case Kind.OTHER:
          passes = !isReserved(field.name);
          break;
        default:
        // Set anew (:scheme, te), or never passed on (hop-by-hop, reserved names, a status in a request).
      }
      if (!passes) continue;
      if (passed === undefined && recent?.passed[same] === field) same++;
      else {
        passed ??= recent === undefined ? [] : recent.passed.slice(0, same);
        passed.push(field);
      }
    }
    this.authority = authority ?? authorityOf(host);
    this.isGrpc = isPost && isGrpc;
    this.isGet = isGet;
    this.credential = credential === undefined ? NO_CREDENTIAL : credentials === 1 ? credential : SEVERAL;
    this.#passed = passed ?? (recent === undefined ? NONE : firstOf(recent.passed, same));
    this.traceFields = traceFields ?? NONE;
  }

  /** The first value of a field that is passed on; credentials are not. */
  passedValue(name: string): string | undefined {
    return this.#passed.find((field) => field.name === name)?.value;
  }

  /** The caller's span; undefined when there is none, more than one, or none that can be read. */
  get traceParent(): TraceParent | undefined {
    if (this.traceFields === NONE) return undefined;
    if (this.#traceParent === undefined) {
      const [field, ...others] = this.traceFieldsOf(Kind.TRACEPARENT);
      const alone = field !== undefined && others.length === 0;
      this.#traceParent = (alone ? parseTraceparent(field.value) : undefined) ?? null;
    }
    return this.#traceParent ?? undefined;
  }

  traceFieldsOf(kind: number): readonly Field[] {
    return this.traceFields === NONE ? NONE : this.traceFields.filter((field) => field.kind === kind);
  }

  /**
   * The request's headers as the backend gets them, but for those that change with each call, and for who calls. The same
   * block for all callers whose calls differ in nothing else, so that encoders know it.
   */
  sharedBlock(secure: boolean): HeaderBlock {
    const { path, method, authority } = this;
    const passed = this.#passed;
    let forward = path && recentForward(path, method);
    if (forward?.secure !== secure || forward.authority !== authority || forward.passed !== passed) {
      forward = new RecentForward(this.#makeForward(secure, NONE, NONE), secure, authority, passed);
    }
    if (path !== undefined && path.memo !== forward) rememberForward(forward, path, method);
    return forward.block;
  }

  /** Whether it was asked before: then a block that names the caller, too, pays. */
  repeats(): boolean {
    if (this.#forwarded) return true;
    this.#forwarded = true;
    return false;
  }

  /**
   * The same with the caller, and what the gateway's own services are told. The same block as long as the principal is the same.
   * @param added fields of the gateway for this backend, in front of the client's metadata
   */
  callerBlock(principal: Principal | undefined, secure: boolean, added: readonly Field[]): HeaderBlock {
    if (this.#forward !== undefined && this.#forwardFor === principal) return this.#forward;
    const caller = principal === undefined ? NONE : callerFields(principal);
    this.#forward = this.#makeForward(secure, added, caller);
    this.#forwardFor = principal;
    return this.#forward;
  }

  #makeForward(secure: boolean, added: readonly Field[], caller: readonly Field[]): HeaderBlock {
    const { path, authority } = this;
    const scheme = secure ? HTTPS : HTTP;
    const first =
      path === undefined ? [POST, scheme, authority, TE_TRAILERS] : [POST, scheme, path, authority, TE_TRAILERS];
    // As long as it need be, since it may live as long as the connection.
    return new HeaderBlock(first.concat(added, caller, this.#passed));
  }
}

function authorityOf(host: Field | undefined): Field {
  return host !== undefined && VISIBLE.test(host.value) ? HEADER_NAMES.field(':authority', host.value) : NO_AUTHORITY;
}

/** The list itself when it is all of it: by that a block is known to be forwarded like the one before. */
function firstOf(fields: readonly Field[], count: number): readonly Field[] {
  return count === fields.length ? fields : fields.slice(0, count);
}

/** The head of a block: the one remembered, unless contracts have changed since. */
export function readRequestHead(block: HeaderBlock, methods: ReadonlyMap<string, MethodEntry>): RequestHead {
  const memo = block.memo;
  if (memo instanceof RequestHead && memo.methods === methods) return memo;
  const head = new RequestHead(block, methods);
  block.memo = head;
  return head;
}
