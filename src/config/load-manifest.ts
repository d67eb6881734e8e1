import { resolve } from 'node:path';
import { fromJson, toBinary } from '@bufbuild/protobuf';
import { Manifest, type ManifestTenant } from '../../generated/tollgate/config/v1/manifest.ts';
import { createFileCheck, type FileCheck } from './check-context.ts';
import { checkRules } from './check-rules.ts';
import { ConfigError } from './config-error.ts';
import { readMessage } from './read-message.ts';
import { readSchema } from './schema.ts';
import { ConfigSource, type Path } from './source.ts';

/** Plans, tenants, backends and contracts as somebody wants them to be. */
export interface LoadedManifest {
  readonly manifest: Manifest;
  /** Whether the file says anything there, be it that there is nothing: what it is silent of is left alone. */
  says(path: Path): boolean;
}

/**
 * Reads the text of a manifest (`tollgate.config.v1.Manifest` as YAML).
 *
 * @param fileName as complaints name it
 * @param baseDir where relative paths in it start
 * @throws ConfigError with every complaint there is
 */
export function parseManifest(text: string, fileName: string, baseDir: string): LoadedManifest {
  const source = new ConfigSource(text, fileName);
  // After a syntax error the tree is a guess.
  if (source.complaints.length > 0) throw new ConfigError(source.complaints);
  const { message: desc, registry } = readSchema('tollgate.config.v1.Manifest');
  const json = source.root === undefined ? {} : readMessage(source, source.root, desc, []);
  const message = fromJson(desc, json, { registry });
  checkRules(source, registry, desc, message);
  const manifest = Manifest.decode(toBinary(desc, message));
  checkNames(source, manifest);
  const files = createFileCheck(source, resolve(baseDir));
  manifest.tenants.forEach((tenant, index) => {
    readKeySets(files, tenant, ['tenants', index]);
  });
  manifest.contracts.forEach((contract, index) => {
    if (contract.descriptorSet.startsWith(INLINE)) return;
    const octets = files.readOctets(['contracts', index, 'descriptor_set'], contract.descriptorSet);
    if (octets !== undefined) contract.descriptorSet = inlineDescriptors(octets);
  });
  if (source.complaints.length > 0) throw new ConfigError(source.complaints);
  return { manifest, says: (path) => source.has(path) };
}

function checkNames(source: ConfigSource, { plans, tenants, backends, contracts }: Manifest): void {
  for (const [section, what, all] of [
    ['backends', 'backend', backends],
    ['contracts', 'contract', contracts],
  ] as const) {
    complainOfTwins(
      source,
      [section],
      'name',
      what,
      all.map(({ name }) => name),
    );
  }
  complainOfTwins(
    source,
    ['plans'],
    'name',
    'plan',
    plans.map(({ name }) => name),
  );
  complainOfTwins(
    source,
    ['tenants'],
    'id',
    'tenant',
    tenants.map(({ id }) => id),
  );
  tenants.forEach(({ keys }, index) => {
    complainOfTwins(
      source,
      ['tenants', index, 'keys'],
      'id',
      'key',
      keys.map(({ id }) => id),
    );
  });
}

/** How a manifest begins descriptors that stand in it. */
const INLINE = 'base64:';

export function inlineDescriptors(octets: Uint8Array): string {
  return `${INLINE}${Buffer.from(octets).toString('base64')}`;
}

/** The other way round, for a manifest that was read. */
export function descriptorsOf(text: string): Buffer {
  return Buffer.from(text.slice(INLINE.length), 'base64');
}

/** There may be a hundred thousand. */
function complainOfTwins(source: ConfigSource, path: Path, key: string, what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  names.forEach((name, index) => {
    if (name !== '' && seen.has(name)) source.complain([...path, index, key], `the ${what} "${name}" is there twice`);
    seen.add(name);
  });
}

/** A gateway cannot read the files of who administers it: what is in them goes to it. */
function readKeySets(files: FileCheck, { issuers }: ManifestTenant, at: Path): void {
  issuers.forEach((issuer, index) => {
    if (issuer.keys?.$case !== 'jwksFile') return;
    const jwks = files.read([...at, 'issuers', index, 'jwks_file'], issuer.keys.jwksFile);
    if (jwks !== undefined) issuer.keys = { $case: 'jwks', jwks };
  });
}
