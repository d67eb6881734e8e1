import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { checkAddressAllowed, guardedLookup, isLoopback } from '../../net/address-policy.ts';
import type { KeyPlace } from '../../sync/trusted-names.ts';

export interface FetchOptions {
  /** Hosts that may be asked over http, beside this machine. */
  readonly httpHosts: ReadonlySet<string>;
  /** PEM, the authorities to trust; the system's when undefined. */
  readonly ca: Buffer | undefined;
}

/** Octets of an answer. Key sets with certificates in them have some ten thousand. */
const MAX_OCTETS = 262_144;
const WELL_KNOWN = '/.well-known/openid-configuration';

/**
 * Fetches a key set, by way of the issuer's metadata where its place is to be found out. No redirects, no compression, no
 * cookies, a bounded size, and no address that is not to be connected to.
 * @returns its text. @throws Error that says what went wrong, for the log
 */
export async function fetchKeySet(place: KeyPlace, options: FetchOptions, signal: AbortSignal): Promise<string> {
  if (place.kind === 'url') return get(place.text, options, signal);
  const url = `${place.text.replace(/\/$/, '')}${WELL_KNOWN}`;
  const metadata: unknown = JSON.parse(await get(url, options, signal));
  const { issuer, jwks_uri: keys } = isRecord(metadata) ? metadata : {};
  // OpenID Connect Discovery 1.0, section 4.3: else one issuer could speak for another.
  if (issuer !== place.text) throw new Error(`${url} is the metadata of another issuer`);
  if (typeof keys !== 'string') throw new Error(`${url} names no jwks_uri`);
  return get(keys, options, signal);
}

async function get(text: string, { httpHosts, ca }: FetchOptions, signal: AbortSignal): Promise<string> {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error('the place of a key set is no http URL');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'http:' && !isLoopback(host) && !httpHosts.has(host)) {
    throw new Error(`${url.origin} is to be asked over http: name ${host} in authentication.http_hosts to allow it`);
  }
  if (isIP(host) !== 0) checkAddressAllowed(host);
  const response = await send(url, ca, signal);
  return read(response, url);
}

function send(url: URL, ca: Buffer | undefined, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'application/json, application/jwk-set+json', 'user-agent': 'tollgate' };
    const options = { headers, signal, agent: false, lookup: guardedLookup } as const;
    const request =
      url.protocol === 'https:' ? requestHttps(url, { ...options, ca }, resolve) : requestHttp(url, options, resolve);
    request.on('error', reject);
    request.on('socket', (socket) =>
      socket.on('connect', () => {
        try {
          checkAddressAllowed(socket.remoteAddress ?? '');
        } catch (error) {
          request.destroy(error instanceof Error ? error : undefined);
        }
      }),
    );
    request.end();
  });
}

async function read(response: IncomingMessage, url: URL): Promise<string> {
  try {
    const { statusCode = 0, headers } = response;
    if (statusCode >= 300 && statusCode < 400) throw new Error(`${url.origin} redirects, which is not followed`);
    if (statusCode !== 200) throw new Error(`${url.origin} answers with status ${statusCode}`);
    if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw new Error(`${url.origin} compresses`);
    const chunks: Buffer[] = [];
    let octets = 0;
    for await (const chunk of response) {
      if (!Buffer.isBuffer(chunk)) continue;
      octets += chunk.length;
      if (octets > MAX_OCTETS) throw new Error(`${url.origin} answers with more than ${MAX_OCTETS} octets`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } finally {
    response.destroy();
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
