import { randomUUID } from 'node:crypto';
import type { MethodDefinition } from '@grpc/grpc-js';
import { type Command, Option } from 'commander';
import { type AdminClient, type AdminOptions, addAdminOptions, NoAnswer, withAdminClient } from './admin-client.ts';
import { CliError, type Io } from './io.ts';
import { printJson } from './print.ts';

/** Options of every command that changes something. */
export interface ChangeOptions extends AdminOptions {
  readonly reason?: string;
  readonly validateOnly?: boolean;
  readonly requestId?: string;
}

/** What requests of changes have in common. */
export interface ChangeFields {
  requestId?: string | undefined;
  validateOnly?: boolean | undefined;
  reason?: string | undefined;
}

const GROUP = 'The change:';

export function addChangeOptions(command: Command): Command {
  return addAdminOptions(command)
    .addOption(new Option('--reason <text>', 'why, for the audit log').helpGroup(GROUP))
    .addOption(new Option('--validate-only', 'check everything, and change nothing').helpGroup(GROUP))
    .addOption(
      new Option(
        '--request-id <id>',
        'a name of your choice: a command repeated under it does it once (a new one each time)',
      ).helpGroup(GROUP),
    );
}

/** Asks for a change as the user said: with the reason, once, or only to check it. @throws CliError */
export type Change = <Request extends ChangeFields, Response>(
  method: MethodDefinition<Request, Response>,
  request: Request,
) => Promise<Response>;

/** As `withAdminClient`, for commands that change something. */
export function withChange(
  options: ChangeOptions,
  io: Io,
  use: (change: Change, client: AdminClient) => Promise<void> | void,
): Promise<void> {
  return withAdminClient(options, io, async (client) => {
    await use((method, request) => ask(client, options, method, request), client);
    if (options.validateOnly) io.stderr.write('Checked only: nothing was changed.\n');
  });
}

/** Under a request id, so that a repetition does it once; when no answer came the user is told how to repeat it. */
async function ask<Request extends ChangeFields, Response>(
  client: AdminClient,
  { reason, validateOnly, requestId = randomUUID() }: ChangeOptions,
  method: MethodDefinition<Request, Response>,
  request: Request,
): Promise<Response> {
  try {
    return await client.call(method, { ...request, reason, validateOnly, requestId });
  } catch (error) {
    if (!(error instanceof NoAnswer) || !error.mayBeDone || validateOnly) throw error;
    const advice = `Whether it was done is not known. Repeated with --request-id ${requestId} it is done once.`;
    throw new CliError(`${error.message}\n${advice}`, error.exitCode);
  }
}

/** Tells that something was done that has no answer to print. */
export function printDone(io: Io, { output, validateOnly }: ChangeOptions, text: string): void {
  if (output === 'json') printJson(io, {});
  if (!validateOnly) io.stderr.write(`${text}\n`);
}
