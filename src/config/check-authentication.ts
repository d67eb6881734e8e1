import { BlockList, isIP } from 'node:net';
import type { Config } from '../../generated/tollgate/config/v1/config.ts';
import { durationToMs } from '../contracts/policy.ts';
import type { CheckContext } from './check-context.ts';
import { jwksMaxAgeMs, jwksRefreshMs } from './to-authentication.ts';

/** How credentials are checked: files that are there, networks that are some, ages that fit each other. */
export function checkAuthentication({ source, files }: CheckContext, { authentication }: Config): void {
  if (authentication === undefined) return;
  files.check(['authentication', 'ca'], authentication.ca);
  authentication.httpHosts.forEach((host, index) => {
    if (/^[a-z0-9.-]+$/i.test(host)) return;
    source.complain(['authentication', 'http_hosts', index], `"${host}" is no host`, 'a name without scheme and port');
  });
  authentication.failures?.exempt.forEach((network, index) => {
    if (readNetwork(network) !== undefined) return;
    const at = ['authentication', 'failures', 'exempt', index];
    source.complain(at, `"${network}" is no network`, '10.0.0.0/8, 192.0.2.1, 2001:db8::/48');
  });
  const { jwksRefresh, jwksMaxAge, tokenCache } = authentication;
  if (tokenCache !== undefined && durationToMs(tokenCache) > 3_600_000)
    source.complain(['authentication', 'token_cache'], 'the duration must be at most 1h', 'the default is 5m');
  if (jwksRefreshMs(authentication) > jwksMaxAgeMs(authentication)) {
    const at = jwksMaxAge === undefined ? 'jwks_refresh' : 'jwks_max_age';
    const hint = jwksRefresh === undefined ? 'the default of "jwks_refresh" is 5m' : 'a longer "jwks_max_age"';
    source.complain(['authentication', at], 'key sets would age out before they are fetched anew', hint);
  }
}

/** Parses `192.0.2.1`, `10.0.0.0/8` or `2001:db8::/48`; undefined when it is none. */
export function readNetwork(text: string): BlockList | undefined {
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  if (version === 0 || more.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return undefined;
  const prefix = bits === undefined ? most : Number(bits);
  if (prefix > most) return undefined;
  const list = new BlockList();
  list.addSubnet(address, prefix, version === 4 ? 'ipv4' : 'ipv6');
  return list;
}
