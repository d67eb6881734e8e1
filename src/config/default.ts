import { packagePath } from '../contracts/package-root.ts';

/** The configuration of `npm start`: the example backend behind a gateway on embedded defaults. */
export function defaultConfigPath(): string {
  return packagePath('examples/bookstore/tollgate.yaml');
}
