import { pathToFileURL } from 'node:url';
import { packagePath } from '../contracts/package-root.ts';
import { CliError } from './io.ts';

/** What examples/bookstore/server.ts exports. */
export interface ExampleBackend {
  readonly port: number;
  stop(): Promise<void>;
}
type StartBackend = (at: { host: string; port: number }) => Promise<ExampleBackend>;

/** The example's configuration. @throws CliError when this is an installed package, which has no examples */
export function exampleConfigPath(): string {
  return examplePath('examples/bookstore/tollgate.yaml');
}

/**
 * Starts the example backend in this process, so that it outlives the gateway's drain: a Ctrl-C reaches every process of
 * the terminal at once. Imported by a path made here: the examples are no part of the compiled package.
 */
export async function startExampleBackend(at: { host: string; port: number }): Promise<ExampleBackend> {
  const module: unknown = await import(pathToFileURL(examplePath('examples/bookstore/server.ts')).href);
  if (!hasStartBookstore(module)) throw new Error('examples/bookstore/server.ts has no startBookstore');
  try {
    return await module.startBookstore(at);
  } catch (error) {
    // grpc-js gives no error code, only text.
    if (!(error instanceof Error && error.message.includes('EADDRINUSE'))) throw error;
    throw new CliError(
      `the example backend cannot listen: ${at.host}:${at.port} is in use by another program, perhaps another \`npm start\`.\n` +
        'Stop that one, or take other ports: npm start -- --port 8400',
    );
  }
}

/** Makes the example's first call through the gateway. @returns what came of it, in a line */
export async function makeFirstCall(at: { address: string; key: string }): Promise<string> {
  const module: unknown = await import(pathToFileURL(examplePath('examples/bookstore/first-call.ts')).href);
  if (!hasFirstCall(module)) throw new Error('examples/bookstore/first-call.ts has no firstCall');
  return module.firstCall(at);
}

function hasFirstCall(module: unknown): module is { firstCall: typeof makeFirstCall } {
  return typeof module === 'object' && module !== null && 'firstCall' in module;
}

function hasStartBookstore(module: unknown): module is { startBookstore: StartBackend } {
  return typeof module === 'object' && module !== null && 'startBookstore' in module;
}

function examplePath(path: string): string {
  try {
    return packagePath(path, import.meta.dirname);
  } catch {
    throw new CliError(
      'the example is not part of the installed package: clone the repository and run `npm start` there,\n' +
        'or run a gateway of your own: tollgate serve --config tollgate.yaml',
    );
  }
}
