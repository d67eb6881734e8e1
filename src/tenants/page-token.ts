import { InvalidArgument } from './errors.ts';

const MAX_PAGE = 1000;
const DEFAULT_PAGE = 100;
const MAX_TOKEN = 512;

/** What a page was asked for; the token holds it, so that one list's token is not taken for another's. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** @returns 1 to 1000; 100 for 0. @throws InvalidArgument */
export function pageLimit(pageSize: number): number {
  if (!Number.isInteger(pageSize) || pageSize < 0) throw new InvalidArgument('page_size', 'must not be negative');
  return pageSize === 0 ? DEFAULT_PAGE : Math.min(pageSize, MAX_PAGE);
}

/** @param list names the list that the token belongs to: its kind and filter. */
export function encodePageToken(list: string, after: string | undefined): string {
  if (after === undefined) return '';
  return Buffer.from(`${list}\n${after}`, 'utf8').toString('base64url');
}

/** @returns the id to continue after; undefined for the first page. @throws InvalidArgument */
export function decodePageToken(list: string, token: string): string | undefined {
  if (token === '') return undefined;
  const text = token.length > MAX_TOKEN ? '' : Buffer.from(token, 'base64url').toString('utf8');
  const after = text.startsWith(`${list}\n`) ? text.slice(list.length + 1) : '';
  // The way back must give the same token: base64url decoders pass over what they do not know.
  if (after === '' || encodePageToken(list, after) !== token) {
    throw new InvalidArgument('page_token', 'is not a next_page_token of this list; begin again without one');
  }
  return after;
}
