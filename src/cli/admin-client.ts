import { Client, type ClientReadableStream, Metadata, type MethodDefinition, type ServiceError } from '@grpc/grpc-js';
import { type Command, Option } from 'commander';
import { findStatusDetails } from './describe-details.ts';
import { describeServiceError } from './describe-error.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';
import { CliError, type Io } from './io.ts';
import { DEFAULT_ADDRESS, resolveTarget, type Target, type TargetOptions } from './target.ts';
import { openCredentials } from './tls-options.ts';

/** Options of every command that talks to the admin services. */
export interface AdminOptions extends TargetOptions {
  readonly output: 'table' | 'json';
}

/** Milliseconds after which a command gives up. */
const TIMEOUT_MS = 15_000;
const GROUP = 'Which gateway, and with which key:';

export function addAdminOptions(command: Command): Command {
  const add = (flags: string, text: string) => command.addOption(new Option(flags, text).helpGroup(GROUP));
  command.addOption(
    new Option('--output <format>', 'for people or for programs').choices(['table', 'json']).default('table'),
  );
  add('--context <name>', 'one that was set with "tollgate contexts set" (TOLLGATE_CONTEXT)');
  add('--address <host:port>', `the admin listener (TOLLGATE_ADMIN_ADDRESS; ${DEFAULT_ADDRESS})`);
  add('--key-from-env <name>', 'a variable that holds the key, instead of TOLLGATE_ADMIN_KEY');
  add('--key-file <file>', 'a file that holds the key');
  add('--key <key>', 'the key itself: others on this machine can read it, so better one of the above');
  return addTlsOptions(command, GROUP);
}

export function addTlsOptions(command: Command, group: string): Command {
  const add = (flags: string, text: string) => command.addOption(new Option(flags, text).helpGroup(group));
  add('--tls', 'call over TLS, trusting the authorities of the system');
  add('--ca <file>', 'call over TLS, trusting the authorities of this PEM file');
  add('--cert <file>', 'PEM file with a client certificate (mutual TLS)');
  add('--cert-key <file>', 'PEM file with its key');
  return add('--server-name <name>', "the name that the gateway's certificate must have, if not that of the address");
}

/** Calls admin services as the user said. */
export interface AdminClient {
  /** @throws CliError with everything the status and its details tell */
  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<Response>;
  /**
   * The answers of a server-streaming method, until it ends or `signal` does. There is no deadline.
   * @throws CliError
   */
  stream<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    signal?: AbortSignal,
  ): AsyncIterable<Response>;
}

/** Opens a client, runs `use`, closes it. @throws CliError */
export async function withAdminClient<T>(
  options: AdminOptions,
  io: Io,
  use: (client: AdminClient) => Promise<T>,
): Promise<T> {
  const target = await resolveTarget(options, io);
  const metadata = authorization(target);
  const { credentials, channel } = await openCredentials(target, io);
  const client = new Client(target.address, credentials, {
    ...channel,
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
  });
  try {
    return await use({
      async call(method, request) {
        try {
          return await callUnary(client, method, request, metadata, io.now() + TIMEOUT_MS);
        } catch (error) {
          throw explain(error, target);
        }
      },
      async *stream(method, request, signal) {
        try {
          yield* readStream(client, method, request, metadata, signal);
        } catch (error) {
          if (!signal?.aborted) throw explain(error, target);
        }
      },
    });
  } finally {
    client.close();
  }
}

function authorization({ key }: Target): Metadata {
  const metadata = new Metadata();
  try {
    metadata.set('authorization', `Bearer ${key}`);
  } catch {
    throw new CliError('the admin key has characters that no key has; was it copied whole?', ExitCode.DENIED);
  }
  return metadata;
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

async function* readStream<Request, Response>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
  request: Request,
  metadata: Metadata,
  signal: AbortSignal | undefined,
): AsyncIterable<Response> {
  const stream: ClientReadableStream<Response> = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    metadata,
  );
  const cancel = (): void => stream.cancel();
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted) cancel();
  try {
    for await (const response of stream) yield response;
  } finally {
    signal?.removeEventListener('abort', cancel);
    stream.cancel();
  }
}

/** Nobody told what became of a call. */
export class NoAnswer extends CliError {
  /** False when the gateway cannot have seen it. */
  readonly mayBeDone: boolean;

  constructor(message: string, mayBeDone: boolean) {
    super(message, ExitCode.UNAVAILABLE);
    this.mayBeDone = mayBeDone;
  }
}

/** What grpc-js says of calls that found no connection. */
const UNSENT = /^(No connection established|Name resolution failed)/;

function explain(error: unknown, { address }: Target): unknown {
  if (!isServiceError(error)) return error;
  const exitCode = exitCodeOf(error.code);
  // A refusal of the gateway's own has details; without them the connection itself failed.
  if (exitCode === ExitCode.UNAVAILABLE && findStatusDetails(error) === undefined) {
    return new NoAnswer(describeSilence(error, address), !UNSENT.test(error.details));
  }
  return new CliError(describeServiceError(error), exitCode);
}

/** No answer of a gateway's at all. */
function describeSilence(error: ServiceError, address: string): string {
  if (/wrong version number|packet length too long/i.test(error.details)) {
    return (
      `${address} answers, but not over TLS.\n` +
      `Call it without TLS (no --tls, --ca), or give that listener "tls" in its configuration.\n(${error.details.trim()})`
    );
  }
  const plain = /ECONNRESET|socket hang up|Connection dropped/i.test(error.details);
  const advice = /certificate|altnames|self.signed|TLS|SSL|EPROTO/i.test(error.details)
    ? 'Does the certificate fit? --ca names the authorities to trust, --server-name the name that it must have.'
    : plain
      ? 'Something is there that closed the connection: does the listener speak TLS (--tls, --ca), or is it another program?'
      : 'Start it with `npm start` or `tollgate serve`, or give the admin listener with --address or --context.';
  return `nothing answers at ${address}: is the gateway running?\n${advice}\n(${error.details})`;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'metadata' in error;
}
