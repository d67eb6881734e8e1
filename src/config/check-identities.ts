import type { Config, Tenant } from '../../generated/tollgate/config/v1/config.ts';
import { IdentityIndex } from '../sync/identity-index.ts';
import { toCertifiedName, toTokenIssuer } from '../sync/trusted-names.ts';
import { type Fault, faultsOfCertificate, faultsOfIssuer, faultsOfNames } from '../tenants/issuer-rules.ts';
import { faultOfKeySet } from '../tenants/key-set-rules.ts';
import type { CheckContext } from './check-context.ts';
import type { Path } from './source.ts';

/** Issuers and client certificates: each makes sense, and whose a caller is can always be told. */
export function checkIdentities(context: CheckContext, config: Config): void {
  const rules = { httpHosts: new Set(config.authentication?.httpHosts), filesAllowed: true, ownersScopes: false };
  config.tenants.forEach((tenant, index) => {
    const at: Path = ['tenants', index];
    tenant.issuers.forEach((issuer, position) => {
      const here = [...at, 'issuers', position];
      complain(context, here, faultsOfIssuer(issuer, rules));
      if (issuer.keys?.$case === 'jwksFile') checkKeySetFile(context, [...here, 'jwks_file'], issuer.keys.jwksFile);
    });
    tenant.clientCertificates.forEach((certificate, position) => {
      complain(context, [...at, 'client_certificates', position], faultsOfCertificate(certificate, rules));
    });
    complain(context, at, faultsOfNames(tenant.issuers, tenant.clientCertificates));
  });
  checkConflicts(context, config.tenants);
  checkListenersOf(context, config);
}

function complain({ source }: CheckContext, at: Path, faults: readonly Fault[]): void {
  for (const { path, message, hint } of faults) source.complain([...at, ...path], message, hint);
}

function checkKeySetFile({ source, files }: CheckContext, at: Path, file: string): void {
  if (file === '') source.complain(at, '"jwks_file" is empty', 'a file with {"keys": [...]}');
  const text = files.read(at, file);
  const fault = text === undefined ? undefined : faultOfKeySet(text);
  if (fault !== undefined) source.complain(at, `"${file}" ${fault}`);
}

function checkConflicts({ source }: CheckContext, tenants: readonly Tenant[]): void {
  const all = tenants.map(({ id, issuers, clientCertificates }) => ({
    id,
    displayName: '',
    plan: '',
    suspended: false,
    issuers: issuers.map((issuer) => toTokenIssuer(id, issuer)),
    certificates: clientCertificates.map((certificate) => toCertifiedName(id, certificate)),
  }));
  const identities = IdentityIndex.empty().change([], all);
  all.forEach((tenant, index) => {
    const conflict = identities.conflictOf(tenant);
    if (conflict === undefined) return;
    const at: Path = ['tenants', index, conflict.list, conflict.index];
    if (!source.isFaulty(at)) source.complain(at, conflict.message, conflict.hint);
  });
}

/** A certificate that no listener asks for speaks for nobody. */
function checkListenersOf({ source }: CheckContext, { listeners, tenants }: Config): void {
  if (listeners.some(({ tls }) => (tls?.clientCa ?? '') !== '')) return;
  tenants.forEach(({ clientCertificates }, index) => {
    if (clientCertificates.length === 0) return;
    source.complain(
      ['tenants', index, 'client_certificates'],
      'no listener asks clients for certificates',
      'name the authorities that issue them: "client_ca" in the "tls" of a listener',
    );
  });
}
