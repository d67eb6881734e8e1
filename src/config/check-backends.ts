import type { Backend, Config, Contract } from '../../generated/tollgate/config/v1/config.ts';
import { nearest } from '../contracts/nearest.ts';
import { checkLayer } from '../contracts/policy.ts';
import { Code, codeOf } from '../grpc/status.ts';
import type { CheckContext } from './check-context.ts';
import { checkAddress } from './check-listeners.ts';
import { complainOfTwins } from './check-references.ts';
import type { Path } from './source.ts';

/** Backends and contracts, each for itself. */
export function checkBackends(context: CheckContext, config: Config): void {
  config.backends.forEach((backend, index) => {
    checkBackend(context, backend, ['backends', index]);
  });
  config.contracts.forEach((contract, index) => {
    checkContract(context, contract, ['contracts', index]);
  });
}

function checkBackend(context: CheckContext, backend: Backend, at: Path): void {
  const { source, files } = context;
  backend.endpoints.forEach((endpoint, index) => {
    const path = [...at, 'endpoints', index];
    if (endpoint === '') source.complain(path, 'an endpoint is empty', 'host:port or unix:/path');
    const address = checkAddress(context, path, endpoint);
    if (address !== undefined && 'port' in address && address.port === 0) {
      source.complain(path, 'nothing can be reached at port 0', 'a number from 1 to 65535');
    }
  });
  complainOfTwins(source, [...at, 'endpoints'], backend.endpoints, 'endpoint');
  backend.breaker?.failureStatuses.forEach((name, index) => {
    checkStatus(context, name, [...at, 'breaker', 'failure_statuses', index]);
  });
  const { tls } = backend;
  if (tls === undefined) return;
  for (const key of ['ca', 'cert', 'key'] as const) files.check([...at, 'tls', key], tls[key]);
  if ((tls.cert === '') !== (tls.key === '')) {
    source.complain([...at, 'tls'], '"cert" and "key" go together', `"${tls.cert === '' ? 'cert' : 'key'}" is missing`);
  }
}

function checkStatus({ source }: CheckContext, name: string, path: Path): void {
  const code = codeOf(name);
  if (code === Code.OK) source.complain(path, 'OK is not a failure');
  if (code !== undefined) return;
  const near = nearest(name, Object.keys(Code));
  const hint = near === undefined ? `one of ${Object.keys(Code).slice(1).join(', ')}` : `did you mean "${near}"?`;
  source.complain(path, `"${name}" is not a gRPC status`, hint);
}

function checkContract({ source, files }: CheckContext, contract: Contract, at: Path): void {
  switch (contract.source?.$case) {
    case 'protos':
      if (contract.source.protos === '')
        source.complain([...at, 'protos'], '"protos" is empty', 'a folder of .proto files');
      files.check([...at, 'protos'], contract.source.protos, 'folder');
      break;
    case 'descriptorSet':
      if (contract.source.descriptorSet === '') source.complain([...at, 'descriptor_set'], '"descriptor_set" is empty');
      files.check([...at, 'descriptor_set'], contract.source.descriptorSet);
      break;
    default:
      if (source.isFaulty([...at, 'protos']) || source.isFaulty([...at, 'descriptor_set'])) break;
      source.complain(
        [...at, 'protos'],
        'the contract has no source',
        '"protos": a folder of .proto files, or "descriptor_set": a file',
      );
  }
  for (const [name, layer] of Object.entries(contract.policy)) {
    for (const fault of checkLayer(layer)) source.complain([...at, 'policy', name], fault);
  }
}
