import type { Contract } from '../contracts/contract.ts';
import { nearest } from '../contracts/nearest.ts';
import type { LoadedConfig } from './load.ts';
import type { Path } from './source.ts';

/** What plans and tenants of the file allow must be there: a name that is mistyped allows nothing, and nobody would say so. */
export function checkAllowed({ source, config }: LoadedConfig, contracts: readonly Contract[]): void {
  // A contract that could not be read may have the name.
  if (source.complaints.length > 0) return;
  const known = new Set<string>();
  for (const { name, methods } of contracts) {
    known.add(name);
    for (const method of methods) known.add(method.name).add(method.name.slice(0, method.name.lastIndexOf('/')));
  }
  const check = (at: Path, names: readonly string[]) => {
    names.forEach((name, index) => {
      if (names.indexOf(name) !== index) source.complain([...at, index], `"${name}" is there twice`);
      if (known.has(name)) return;
      const near = nearest(name, known);
      const hint =
        near === undefined ? 'write contracts, pkg.Service or pkg.Service/Method' : `did you mean "${near}"?`;
      source.complain([...at, index], `there is no contract, service or method "${name}"`, hint);
    });
  };
  config.plans.forEach(({ allowed }, index) => {
    check(['plans', index, 'allowed'], allowed);
  });
  config.tenants.forEach(({ allowed }, index) => {
    check(['tenants', index, 'allowed'], allowed);
  });
}
