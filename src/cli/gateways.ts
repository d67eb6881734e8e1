import type { Command } from 'commander';
import { Gateway, FleetServiceService as service } from '../../generated/tollgate/admin/v1/fleet.ts';
import { type AdminClient, type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { addChangeOptions, type ChangeOptions, printDone, withChange } from './change.ts';
import { CliError, type Io } from './io.ts';
import { formatTime, printList, type View } from './print.ts';
import { jsonOf } from './to-json.ts';

const VIEW: View<Gateway> = {
  toJson: jsonOf('tollgate.admin.v1.Gateway', Gateway),
  fields: (gateway) => [
    ['id', gateway.id],
    ['address', gateway.address],
    ['version', String(gateway.version)],
    ['state', gateway.alive ? 'alive' : 'not seen'],
    ['last seen', formatTime(gateway.lastSeen)],
  ],
};

/** How long `--wait` waits. */
const WAIT_SECONDS = 5;

export function addGatewayCommands(program: Command, io: Io): void {
  const gateways = program.command('gateways').description('the gateways that share a store: list, restore');
  addAdminOptions(
    gateways.command('list').description('list them, with the version of the configuration that they have'),
  ).action((options: AdminOptions) =>
    withAdminClient(options, io, async (client) => {
      const { gateways: list } = await client.call(service.listGateways, {});
      printList(io, options.output, VIEW, { items: list, more: false }, 'No gateways.');
    }),
  );
  addChangeOptions(
    gateways.command('restore').description("give Redis this gateway's copy of a configuration that Redis has lost"),
  ).action((options: ChangeOptions) =>
    withChange(options, io, async (change) => {
      const { restored } = await change(service.restoreConfiguration, {});
      if (restored) printDone(io, options, 'Restored: every gateway reads it.');
      else printDone(io, options, 'Nothing to restore: Redis has lost nothing.');
    }),
  );
}

/**
 * Waits until every gateway has what was written before.
 * @throws CliError that names those that do not say so
 */
export async function waitForFleet(client: AdminClient, io: Io): Promise<void> {
  const timeout = { seconds: WAIT_SECONDS, nanos: 0 };
  const { reached, version, missing } = await client.call(service.waitForVersion, { version: 0, timeout });
  if (reached) {
    io.stderr.write(`Every gateway has it (version ${version}).\n`);
    return;
  }
  const names = missing.map(({ id, address, lastSeen }) => `  ${id} (${address}), last seen ${formatTime(lastSeen)}`);
  throw new CliError(
    `It is written (version ${version}), but these gateways have not said that they have it:\n${names.join('\n')}\n` +
      'One that has stopped has nothing to refuse; one that is frozen or cut off takes it as soon as it can.',
  );
}
