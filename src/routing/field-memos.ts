import type { Credential, Principal } from '../chain/call.ts';
import type { Field, HeaderBlock } from '../http2/index.ts';
import { Kind } from './header-names.ts';

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

/** The memo of a `:path` field: the block that was forwarded last for it. */
class RecentForward {
  readonly block: HeaderBlock;
  readonly principal: Principal | undefined;
  readonly authority: Field | undefined;
  readonly passed: readonly Field[];

  constructor(
    block: HeaderBlock,
    principal: Principal | undefined,
    authority: Field | undefined,
    passed: readonly Field[],
  ) {
    this.block = block;
    this.principal = principal;
    this.authority = authority;
    this.passed = passed;
  }
}

/** The block forwarded last for this path, if it was made of the very same fields: encoders know it by its identity. */
export function recentForward(
  path: Field,
  principal: Principal | undefined,
  authority: Field | undefined,
  passed: readonly Field[],
): HeaderBlock | undefined {
  const memo = path.memo;
  if (!(memo instanceof RecentForward) || memo.principal !== principal || memo.authority !== authority)
    return undefined;
  if (memo.passed.length !== passed.length) return undefined;
  for (let i = 0; i < passed.length; i++) if (memo.passed[i] !== passed[i]) return undefined;
  return memo.block;
}

export function rememberForward(
  path: Field,
  block: HeaderBlock,
  principal: Principal | undefined,
  authority: Field | undefined,
  passed: readonly Field[],
): void {
  path.memo = new RecentForward(block, principal, authority, passed);
}
