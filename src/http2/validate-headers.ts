import type { Field } from './field.ts';
import type { HeaderBlock } from './header-block.ts';
import { codeUnitAt } from './hpack/latin1.ts';

/** What a header block may serve as (RFC 9113 section 8.1 to 8.3); kept in `HeaderBlock.verdict`. */
export const Verdict = { CHECKED: 1, REQUEST: 2, RESPONSE: 4, TRAILERS: 8 } as const;

/** What a field is; kept in `Field.verdict`, so that a field that repeats is looked at once. */
const Kind = {
  CHECKED: 0x1,
  MALFORMED: 0x2,
  PSEUDO: 0x4,
  METHOD: 0x10,
  SCHEME: 0x20,
  AUTHORITY: 0x40,
  PATH: 0x80,
  STATUS: 0x100,
  CONTENT_LENGTH: 0x200,
  /** The method that has no scheme and no path. */
  CONNECT: 0x400,
} as const;
const REQUEST_NEEDS = Kind.METHOD | Kind.SCHEME | Kind.PATH;
const CONNECT_NEEDS = Kind.METHOD | Kind.AUTHORITY;
const PSEUDOS = REQUEST_NEEDS | CONNECT_NEEDS | Kind.STATUS;
/** What `judge` gathers. */
const SEEN = PSEUDOS | Kind.CONNECT;

/** Names that mean something here. Connection-specific fields make a message malformed (RFC 9113 section 8.2.2). */
const names = new Map<string, number>([
  [':method', Kind.PSEUDO | Kind.METHOD],
  [':scheme', Kind.PSEUDO | Kind.SCHEME],
  [':authority', Kind.PSEUDO | Kind.AUTHORITY],
  [':path', Kind.PSEUDO | Kind.PATH],
  [':status', Kind.PSEUDO | Kind.STATUS],
  ['content-length', Kind.CONTENT_LENGTH],
  ['connection', Kind.MALFORMED],
  ['proxy-connection', Kind.MALFORMED],
  ['keep-alive', Kind.MALFORMED],
  ['transfer-encoding', Kind.MALFORMED],
  ['upgrade', Kind.MALFORMED],
]);

/**
 * What `block` may serve as: bits of `Verdict`. Also sets the block's `status` and `contentLength`. Done once per block.
 */
export function checkHeaders(block: HeaderBlock): number {
  if (block.verdict === 0) block.verdict = Verdict.CHECKED | judge(block);
  return block.verdict;
}

function judge(block: HeaderBlock): number {
  let seen = 0;
  let regular = false;
  for (const field of block.fields) {
    const kind = field.verdict === 0 ? checkField(field) : field.verdict;
    if ((kind & Kind.MALFORMED) !== 0) return 0;
    if ((kind & Kind.PSEUDO) === 0) {
      regular = true;
      if ((kind & Kind.CONTENT_LENGTH) !== 0 && !setContentLength(block, field)) return 0;
    } else if (regular || (seen & kind & PSEUDOS) !== 0) {
      return 0; // A pseudo-header field behind others, or twice (section 8.3).
    } else {
      seen |= kind & SEEN;
      if (kind & Kind.STATUS) block.status = Number(field.value);
    }
  }
  if (seen === 0) return Verdict.TRAILERS;
  if (seen === Kind.STATUS) return Verdict.RESPONSE;
  if ((seen & Kind.STATUS) !== 0) return 0;
  // CONNECT has a method and an authority, nothing else (section 8.5).
  const isConnect = (seen & Kind.CONNECT) !== 0;
  const complete = isConnect ? (seen & PSEUDOS) === CONNECT_NEEDS : (seen & REQUEST_NEEDS) === REQUEST_NEEDS;
  return complete ? Verdict.REQUEST : 0;
}

/** Several values are fine where they agree (RFC 9110 section 8.6). */
function setContentLength(block: HeaderBlock, field: Field): boolean {
  const length = Number(field.value);
  if (block.contentLength >= 0 && block.contentLength !== length) return false;
  block.contentLength = length;
  return true;
}

/** A name that the user of the engine knows (`kind`) is one. */
function checkField(field: Field): number {
  let kind = names.get(field.name) ?? 0;
  if ((kind & Kind.PSEUDO) !== 0) {
    if (!isPseudoValue(field.value, kind)) kind |= Kind.MALFORMED;
    if ((kind & Kind.METHOD) !== 0 && field.value === 'CONNECT') kind |= Kind.CONNECT;
  } else if ((field.kind === 0 && !isName(field.name)) || !isValue(field.value)) {
    kind |= Kind.MALFORMED;
  } else if (field.name === 'te' && field.value !== 'trailers') {
    kind |= Kind.MALFORMED;
  } else if ((kind & Kind.CONTENT_LENGTH) !== 0 && !/^\d{1,15}$/.test(field.value)) {
    kind |= Kind.MALFORMED;
  }
  field.verdict = kind | Kind.CHECKED;
  return field.verdict;
}

/** Visible ASCII without upper case and, since unknown pseudo-header fields are malformed, without colon (section 8.2.1). */
function isName(name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    const code = codeUnitAt(name, index);
    if (code <= 0x20 || code >= 0x7f || code === 0x3a || (code >= 0x41 && code <= 0x5a)) return false;
  }
  return name.length > 0;
}

/** No NUL, CR, LF; no space or tab at either end (section 8.2.1). */
function isValue(value: string): boolean {
  const last = value.length - 1;
  if (last < 0) return true;
  if (isBlank(codeUnitAt(value, 0)) || isBlank(codeUnitAt(value, last))) return false;
  for (let index = 0; index <= last; index++) {
    const code = codeUnitAt(value, index);
    if (code <= 0x0d && (code === 0 || code === 0x0a || code === 0x0d)) return false;
  }
  return true;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** No blanks or controls; a path is `/...` or `*` (section 8.3.1), a status three digits from 100 to 599 (RFC 9110 section 15). */
function isPseudoValue(value: string, kind: number): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = codeUnitAt(value, index);
    if (code <= 0x20 || code === 0x7f) return false;
  }
  if ((kind & Kind.STATUS) !== 0) return /^[1-5]\d\d$/.test(value);
  if ((kind & Kind.PATH) !== 0) return value.startsWith('/') || value === '*';
  return value.length > 0 || (kind & Kind.AUTHORITY) !== 0;
}
