/** The static table (RFC 7541 appendix A): name and value of the entries 1 to 61, in order. */
export const STATIC_ENTRIES: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** Entries of the static table; the dynamic table's indices begin behind it (RFC 7541 section 2.3.3). */
export const STATIC_LENGTH = STATIC_ENTRIES.length;

/** Octets of the longest value. */
export const LONGEST_STATIC_VALUE = Math.max(...STATIC_ENTRIES.map(([, value]) => value.length));

/** The lowest index of each name. */
export const STATIC_NAMES: ReadonlyMap<string, number> = new Map(
  STATIC_ENTRIES.map(([name], i): [string, number] => [name, i + 1]).reverse(),
);

/** The index of the entry with this name and value, or 0. */
export function findStaticEntry(name: string, value: string): number {
  const first = STATIC_NAMES.get(name);
  if (first === undefined) return 0;
  for (let index = first; index <= STATIC_LENGTH; index++) {
    const entry = STATIC_ENTRIES[index - 1]!;
    // Entries of one name stand together.
    if (entry[0] !== name) return 0;
    if (entry[1] === value) return index;
  }
  return 0;
}
