import type { Credential, Principal } from '../chain/call.ts';
import type { MethodEntry } from '../contracts/method-entry.ts';
import type { Field, HeaderBlock } from '../http2/index.ts';
import { HEADER_NAMES, Kind } from './header-names.ts';

// Blocks of a client that sets deadlines all differ, but for most of their fields, which are the same objects again. What is
// known of such a field is kept with it.

const BEARER = /^bearer +/i;

/** The memo of a field that holds a credential. */
class PresentedCredential implements Credential {
  readonly text: string;
  entry: unknown = undefined;

  constructor(text: string) {
    this.text = text;
  }
}

/** The credential in an `authorization` or `x-api-key` field; the same object for the same field. */
export function credentialIn(field: Field): Credential {
  if (field.memo instanceof PresentedCredential) return field.memo;
  const credential = new PresentedCredential(textOf(field));
  field.memo = credential;
  return credential;
}

function textOf({ kind, value }: Field): string {
  if (kind === Kind.API_KEY) return value;
  return BEARER.test(value) ? value.replace(BEARER, '') : '';
}

/** The memo of a `:path` field: the block without a caller that was forwarded last for it. */
export class RecentForward {
  readonly block: HeaderBlock;
  readonly secure: boolean;
  readonly authority: Field;
  readonly passed: readonly Field[];

  constructor(block: HeaderBlock, secure: boolean, authority: Field, passed: readonly Field[]) {
    this.block = block;
    this.secure = secure;
    this.authority = authority;
    this.passed = passed;
  }
}

/** For those whose `:path` comes for the first time: what was forwarded last that others may send, too, by method. */
const common = new WeakMap<MethodEntry, RecentForward>();

/** What was forwarded last for this path, or for this method by others. */
export function recentForward(path: Field, method: MethodEntry | undefined): RecentForward | undefined {
  if (path.memo instanceof RecentForward) return path.memo;
  return method && common.get(method);
}

/** Has `path`, and other clients' paths of the method, forwarded like this as long as they differ in nothing. */
export function rememberForward(forward: RecentForward, path: Field, method: MethodEntry | undefined): void {
  path.memo = forward;
  if (method === undefined || common.get(method) === forward) return;
  // With a field that nobody else can have it would be in the way of one that serves many.
  if (HEADER_NAMES.isShared(forward.authority) && forward.passed.every((field) => HEADER_NAMES.isShared(field))) {
    common.set(method, forward);
  }
}

const callers = new WeakMap<Principal, readonly [tenant: Field, principal: Field]>();

/** The fields that tell a backend who calls; the same objects for the same principal. */
export function callerFields(principal: Principal): readonly [tenant: Field, principal: Field] {
  const known = callers.get(principal);
  if (known !== undefined) return known;
  const fields = [
    HEADER_NAMES.field('x-tenant-id', principal.tenantId),
    HEADER_NAMES.field('x-principal-id', principal.id),
  ] as const;
  callers.set(principal, fields);
  return fields;
}
