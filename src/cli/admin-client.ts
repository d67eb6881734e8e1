import { readFile } from 'node:fs/promises';
import {
  type ChannelCredentials,
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type Command, Option } from 'commander';
import { describeServiceError } from './describe-error.ts';
import { CliError, type Io } from './io.ts';

/** Options of every command that talks to the admin services. */
export interface AdminOptions {
  readonly address: string;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
  readonly output: 'table' | 'json';
}

/** Milliseconds after which a command gives up. */
const TIMEOUT_MS = 15_000;

export function addAdminOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--address <host:port>', 'the admin listener').default('127.0.0.1:7401').env('TOLLGATE_ADMIN_ADDRESS'),
    )
    .addOption(new Option('--key <key>', 'the admin key; better in the environment (TOLLGATE_ADMIN_KEY)'))
    .addOption(new Option('--ca <file>', 'call over TLS, trusting the authorities of this PEM file'))
    .addOption(
      new Option('--output <format>', 'for people or for programs').choices(['table', 'json']).default('table'),
    );
}

/** Calls admin services as the user said. */
export interface AdminClient {
  /** @throws CliError with everything the status and its details tell */
  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<Response>;
}

/** Opens a client, runs `use`, closes it. @throws CliError */
export async function withAdminClient<T>(
  options: AdminOptions,
  io: Io,
  use: (client: AdminClient) => Promise<T>,
): Promise<T> {
  const key = options.key ?? io.env.TOLLGATE_ADMIN_KEY;
  if (!key) {
    throw new CliError(
      'no admin key: set TOLLGATE_ADMIN_KEY, or give --key.\n' +
        'The gateway prints one at its first start, after the line "admin key:".',
    );
  }
  const metadata = new Metadata();
  try {
    metadata.set('authorization', `Bearer ${key}`);
  } catch {
    throw new CliError('the admin key has characters that no key has; was it copied whole?');
  }
  const client = new Client(options.address, await channelCredentials(options.ca), {
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
  });
  try {
    return await use({
      async call(method, request) {
        try {
          return await callUnary(client, method, request, metadata, io.now() + TIMEOUT_MS);
        } catch (error) {
          throw explain(error, options.address);
        }
      },
    });
  } finally {
    client.close();
  }
}

function callUnary<Request, Response>(
  client: Client,
  method: MethodDefinition<Request, Response>,
  request: Request,
  metadata: Metadata,
  deadline: number,
): Promise<Response> {
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      { deadline },
      (error, value) => (error ? reject(error) : resolve(value as Response)),
    );
  });
}

async function channelCredentials(ca: string | undefined): Promise<ChannelCredentials> {
  if (ca === undefined) return credentials.createInsecure();
  try {
    return credentials.createSsl(await readFile(ca));
  } catch (error) {
    throw new CliError(`cannot read --ca ${ca}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function explain(error: unknown, address: string): unknown {
  if (!isServiceError(error)) return error;
  // A refusal of the gateway's own has details; without them the connection itself failed.
  if (error.code === status.UNAVAILABLE && error.metadata.get('grpc-status-details-bin').length === 0) {
    return new CliError(
      `nothing answers at ${address}: is the gateway running?\n` +
        'Start it with `npm start` or `tollgate serve`, or give the admin listener with --address.\n' +
        `(${error.details})`,
    );
  }
  return new CliError(describeServiceError(error));
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'metadata' in error;
}
