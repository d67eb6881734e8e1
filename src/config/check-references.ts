import type { Config } from '../../generated/tollgate/config/v1/config.ts';
import { CONTROL_BACKEND, RESERVED_CONTRACTS, SELF_CONTRACT, TOLLGATE_CONTRACT } from '../contracts/builtin.ts';
import { nearest } from '../contracts/nearest.ts';
import type { ConfigSource, Path } from './source.ts';

/** Names that are given once, and names that something else has. */
export function checkReferences(source: ConfigSource, config: Config): void {
  const backends = collect(
    source,
    'backends',
    'name',
    config.backends.map((backend) => backend.name),
  );
  const contracts = collect(
    source,
    'contracts',
    'name',
    config.contracts.map((contract) => contract.name),
  );
  const plans = collect(
    source,
    'plans',
    'name',
    config.plans.map((plan) => plan.name),
  );
  collect(
    source,
    'listeners',
    'name',
    config.listeners.map((listener) => listener.name),
  );
  collect(
    source,
    'tenants',
    'id',
    config.tenants.map((tenant) => tenant.id),
  );
  checkReserved(source, config);

  config.listeners.forEach((listener, index) => {
    listener.contracts.forEach((name, position) => {
      const at = ['listeners', index, 'contracts', position];
      contracts.refer(at, 'contract', name, [TOLLGATE_CONTRACT, SELF_CONTRACT]);
    });
    complainOfTwins(source, ['listeners', index, 'contracts'], listener.contracts, 'contract');
  });
  config.contracts.forEach((contract, index) => {
    backends.refer(['contracts', index, 'backend'], 'backend', contract.backend);
  });
  config.tenants.forEach((tenant, index) => {
    plans.refer(['tenants', index, 'plan'], 'plan', tenant.plan);
  });
}

interface Names {
  /** Complains when `name` is none of them. */
  refer(path: Path, what: string, name: string, more?: readonly string[]): void;
}

function collect(source: ConfigSource, section: string, key: string, names: readonly string[]): Names {
  names.forEach((name, index) => {
    const first = names.indexOf(name);
    if (name === '' || first === index) return;
    const { line } = source.locate([section, first, key]);
    source.complain([section, index, key], `"${name}" is in "${section}" twice`, `the first is in line ${line}`);
  });
  return {
    refer(path, what, name, more = []) {
      const known = [...new Set([...names.filter((candidate) => candidate !== ''), ...more])];
      // A name that could not be read may be the one that is meant.
      const unsure =
        source.isFaulty([section]) || names.some((other, i) => other === '' && source.isFaulty([section, i, key]));
      if (name === '' || unsure || known.includes(name)) return;
      const near = nearest(name, known);
      const there =
        known.length === 0 ? `"${section}" has none` : `there is ${known.map((other) => `"${other}"`).join(', ')}`;
      source.complain(path, `there is no ${what} "${name}"`, near === undefined ? there : `did you mean "${near}"?`);
    },
  };
}

/** Complains about values that are in a list twice. */
export function complainOfTwins(
  source: ConfigSource,
  path: Path,
  values: readonly string[],
  what: string,
  key?: string,
): void {
  values.forEach((value, index) => {
    if (value === '' || values.indexOf(value) === index) return;
    source.complain(
      key === undefined ? [...path, index] : [...path, index, key],
      `the ${what} "${value}" is there twice`,
    );
  });
}

function checkReserved(source: ConfigSource, config: Config): void {
  config.contracts.forEach((contract, index) => {
    if (!RESERVED_CONTRACTS.includes(contract.name)) return;
    source.complain(
      ['contracts', index, 'name'],
      `"${contract.name}" is a contract of the gateway itself`,
      'take another name',
    );
  });
  config.backends.forEach((backend, index) => {
    if (backend.name !== CONTROL_BACKEND) return;
    source.complain(
      ['backends', index, 'name'],
      `"${CONTROL_BACKEND}" is the gateway's own backend`,
      'take another name',
    );
  });
}
