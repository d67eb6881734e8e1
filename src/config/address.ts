/** Where a socket listens or connects to. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/**
 * Parses `host:port`, `[::1]:port` or `unix:/path`.
 *
 * @throws TypeError that says what is wrong.
 */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (path === '') throw new TypeError('"unix:" is followed by a path');
    return { path };
  }
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text);
  if (parts === null || text.includes('://')) throw new TypeError(explain(text));
  const [, bracketed, plain, digits = ''] = parts;
  const host = bracketed ?? plain ?? '';
  if (host === '' || /[\s/]/.test(host))
    throw new TypeError(`${JSON.stringify(text)} has no host: host:port is expected`);
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(port <= 65_535))
    throw new TypeError(`${JSON.stringify(digits)} is not a port: a number from 0 to 65535 is expected`);
  return { host, port };
}

function explain(text: string): string {
  if (text.includes('://')) return `${JSON.stringify(text)} is a URL: host:port is expected`;
  if (text.split(':').length > 2)
    return `${JSON.stringify(text)} is not host:port: an IPv6 address goes in brackets, [::1]:7400`;
  return `${JSON.stringify(text)} has no port: host:port is expected`;
}

/** The other way round; IPv6 in brackets. */
export function formatAddress(address: Address): string {
  if ('path' in address) return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
