import type { Duration } from '../../generated/google/protobuf/duration.ts';
import type { ClientCertificate, Issuer } from '../../generated/tollgate/admin/v1/issuer.ts';
import { durationToMs } from '../contracts/policy.ts';
import { isLoopback } from '../net/address-policy.ts';
import { nameOfIssuer } from '../sync/trusted-names.ts';
import { faultOfKeySet } from './key-set-rules.ts';
import { isOwnersScope } from './roles.ts';
import { SCOPE } from './scope.ts';

// What must hold of issuers and client certificates, whoever brings them: the configuration file and the admin services
// complain in their own ways of what is found here.

/** Something that is wrong. */
export interface Fault {
  /** Within the message, by the names of the proto. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** What would be right. */
  readonly hint: string | undefined;
}

export interface IssuerRules {
  /** Hosts whose key sets may come over http, beside this machine. */
  readonly httpHosts: ReadonlySet<string>;
  /** `jwks_file` makes sense: the configuration is a file, too. */
  readonly filesAllowed: boolean;
  /** Scopes that administer the gateway may be given: in the admin tenant alone, which only an owner can change. */
  readonly ownersScopes: boolean;
}

/** Verified with a public key: whoever can check a token cannot make one. */
export const ALGORITHMS: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

const PRINCIPAL_NAME = /^[a-z0-9][a-z0-9.-]{0,127}$/;
/** In front of the names of client certificates in `x-principal-id`. */
const CERTIFICATE_PREFIX = 'x509';
const TEXT = /^[\x21-\x7e]+$/;
const MAX_TEXT = 512;
const MAX_LIST = 64;
const MAX_CLOCK_TOLERANCE_MS = 300_000;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/i;

export function faultsOfIssuer(issuer: Issuer, rules: IssuerRules): Fault[] {
  const faults: Fault[] = [];
  const complain = (path: string | readonly (string | number)[], message: string, hint?: string) =>
    void faults.push({ path: typeof path === 'string' ? [path] : path, message, hint });
  checkText(complain, 'issuer', issuer.issuer, 'exactly what tokens say in "iss": https://login.example.com/');
  checkName(complain, issuer);
  if (issuer.audiences.length === 0)
    complain(
      'audiences',
      'tokens that are meant for others would be accepted',
      'name what tokens for this gateway have in "aud"',
    );
  checkList(complain, 'audiences', issuer.audiences, (audience) => TEXT.test(audience) && audience.length <= MAX_TEXT);
  checkKeys(complain, issuer, rules);
  checkAlgorithms(complain, issuer.algorithms);
  checkList(complain, 'types', issuer.types, (type) => TEXT.test(type) && type.length <= 128);
  checkScopes(complain, 'allowed_scopes', issuer.allowedScopes, rules);
  for (const [path, claim] of claimsOf(issuer))
    if (claim !== '') checkText(complain, path, claim, 'the name of a claim');
  if (issuer.tenantClaim === 'iss')
    complain('tenant_claim', '"iss" is the issuer itself', 'a claim that differs from tenant to tenant');
  if (issuer.tenantValue !== '' && issuer.tenantClaim === '')
    complain('tenant_value', 'there is no "tenant_claim" that could have this value', 'name the claim');
  if (issuer.tenantValue !== '') checkText(complain, 'tenant_value', issuer.tenantValue, 'the value of the claim');
  checkDuration(complain, 'max_token_age', issuer.maxTokenAge, 1, Number.POSITIVE_INFINITY);
  checkDuration(complain, 'clock_tolerance', issuer.clockTolerance, 0, MAX_CLOCK_TOLERANCE_MS);
  return faults;
}

export function faultsOfCertificate(
  { name, san, scopes }: ClientCertificate,
  rules: Pick<IssuerRules, 'ownersScopes'>,
): Fault[] {
  const faults: Fault[] = [];
  const complain: Complain = (path, message, hint) =>
    void faults.push({ path: typeof path === 'string' ? [path] : path, message, hint });
  if (!PRINCIPAL_NAME.test(name)) complain('name', `"${name}" is no name`, 'lower-case letters, digits, "." and "-"');
  if (san === undefined)
    complain('uri', 'the certificate has no name to know it by', '"uri": spiffe://..., or "dns": web.example.com');
  else if (san.$case === 'uri') {
    if (!TEXT.test(san.uri) || san.uri.length > 2048 || !/^[a-z][a-z0-9+.-]*:/i.test(san.uri))
      complain('uri', `"${san.uri}" is no URI`, 'spiffe://example.org/ns/shop/sa/web');
  } else if (!DNS_NAME.test(san.dns)) {
    const hint = san.dns.includes('*') ? 'one host: names are compared exactly' : 'web.example.com';
    complain('dns', `"${san.dns}" is no name of a host`, hint);
  }
  checkScopes(complain, 'scopes', scopes, rules);
  return faults;
}

/** Names that stand twice in one tenant: two callers would look like one. */
export function faultsOfNames(issuers: readonly Issuer[], certificates: readonly ClientCertificate[]): Fault[] {
  const faults: Fault[] = [];
  const issuerNames = issuers.map(nameOfIssuer);
  for (const [list, names] of [
    ['issuers', issuerNames],
    ['client_certificates', certificates.map(({ name }) => name)],
  ] as const) {
    if (names.length > MAX_LIST)
      faults.push({ path: [list], message: `there are more than ${MAX_LIST}`, hint: undefined });
    names.forEach((name, index) => {
      const first = names.indexOf(name);
      if (first === index) return;
      const what = list === 'issuers' ? 'issuers' : 'client certificates';
      const message = `two ${what} of the tenant are "${name}": their callers could not be told apart`;
      faults.push({ path: [list, index, 'name'], message, hint: 'give each a "name" of its own' });
    });
  }
  return faults;
}

type Complain = (path: string | readonly (string | number)[], message: string, hint?: string) => void;

function claimsOf(issuer: Issuer): (readonly [string, string])[] {
  return [
    ['scopes_claim', issuer.scopesClaim],
    ['subject_claim', issuer.subjectClaim],
    ['tenant_claim', issuer.tenantClaim],
  ];
}

function checkName(complain: Complain, issuer: Issuer): void {
  const { name } = issuer;
  const used = nameOfIssuer(issuer);
  if (!PRINCIPAL_NAME.test(used) && issuer.issuer !== '')
    complain('name', `"${used}" is no name`, 'lower-case letters, digits, "." and "-"');
  else if (used === CERTIFICATE_PREFIX)
    complain(
      'name',
      `"${CERTIFICATE_PREFIX}" is for client certificates`,
      name === '' ? 'give it a "name"' : 'another',
    );
}

function checkKeys(complain: Complain, { issuer, keys }: Issuer, rules: IssuerRules): void {
  if (keys === undefined) {
    const files = rules.filesAllowed ? '"jwks_file" or ' : 'or ';
    const hint = `"discovery: true", "jwks_url", ${files}"jwks"`;
    complain('jwks_url', 'there are no keys to verify tokens with', hint);
  } else if (keys.$case === 'discovery') {
    if (keys.discovery) checkUrl(complain, 'issuer', issuer, rules, 'or "jwks_url" instead of "discovery"');
    else complain('discovery', '"discovery" is true or absent');
  } else if (keys.$case === 'jwksUrl') {
    checkUrl(complain, 'jwks_url', keys.jwksUrl, rules);
  } else if (keys.$case === 'jwks') {
    const fault = faultOfKeySet(keys.jwks);
    if (fault !== undefined) complain('jwks', `"jwks" ${fault}`);
  } else if (!rules.filesAllowed) {
    complain('jwks_file', 'files are read for the configuration file alone', 'use "jwks"');
  }
}

function checkUrl(complain: Complain, path: string, text: string, { httpHosts }: IssuerRules, more?: string): void {
  const url = URL.parse(text);
  const hint = ['https://login.example.com/keys', more].filter((part) => part !== undefined).join(', ');
  if (url === null || !/^https?:$/.test(url.protocol) || text.length > MAX_TEXT) {
    complain(path, `${JSON.stringify(text)} is no URL that keys could be fetched from`, hint);
    return;
  }
  if (url.username !== '' || url.password !== '') complain(path, 'a URL of keys has no password in it', hint);
  if (url.hash !== '') complain(path, 'a URL of keys has no "#" in it', hint);
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !httpHosts.has(url.hostname))
    complain(
      path,
      `keys that come over http can be replaced on their way by anybody`,
      `https, or name ${url.hostname} in authentication.http_hosts`,
    );
}

function checkAlgorithms(complain: Complain, algorithms: readonly string[]): void {
  algorithms.forEach((algorithm, index) => {
    if (ALGORITHMS.includes(algorithm)) return;
    const allowed = `one of ${ALGORITHMS.join(', ')}`;
    if (/^HS\d+$/i.test(algorithm))
      complain(['algorithms', index], `${algorithm} is a shared secret: who verifies with it could sign too`, allowed);
    else if (algorithm.toLowerCase() === 'none')
      complain(['algorithms', index], "tokens without a signature are anybody's", allowed);
    else complain(['algorithms', index], `"${algorithm}" is no algorithm that tokens can have here`, allowed);
  });
}

function checkList(
  complain: Complain,
  path: string,
  values: readonly string[],
  isRight: (value: string) => boolean,
): void {
  if (values.length > MAX_LIST) complain(path, `there are more than ${MAX_LIST}`);
  values.forEach((value, index) => {
    if (!isRight(value))
      complain([path, index], `${JSON.stringify(value)} does not fit`, 'visible characters, no blanks');
    else if (values.indexOf(value) !== index) complain([path, index], `"${value}" is there twice`);
  });
}

function checkScopes(
  complain: Complain,
  path: string,
  scopes: readonly string[],
  { ownersScopes }: Pick<IssuerRules, 'ownersScopes'>,
): void {
  checkList(complain, path, scopes, (scope) => SCOPE.test(scope));
  scopes.forEach((scope, index) => {
    if (ownersScopes || !isOwnersScope(scope)) return;
    complain([path, index], `"${scope}" administers the gateway`, 'only the admin tenant can give it');
  });
}

function checkText(complain: Complain, path: string, value: string, hint: string): void {
  if (value === '') complain(path, `"${path}" is missing`, hint);
  else if (value.length > MAX_TEXT || !TEXT.test(value))
    complain(path, `"${path}" is up to ${MAX_TEXT} visible characters without blanks`, hint);
}

function checkDuration(complain: Complain, path: string, value: Duration | undefined, min: number, max: number): void {
  if (value === undefined) return;
  const ms = durationToMs(value);
  if (!(ms >= min)) complain(path, 'the duration must be longer than 0');
  else if (ms > max) complain(path, `the duration must be at most ${max / 1000}s`);
}
