import type { Command } from 'commander';
import {
  Breaker,
  Breaker_State as State,
  BreakerServiceService as service,
} from '../../generated/tollgate/admin/v1/breaker.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { addChangeOptions, type ChangeOptions, withChange } from './change.ts';
import type { Io } from './io.ts';
import { printList, printOne, type View } from './print.ts';
import { jsonOf } from './to-json.ts';

const STATES: Readonly<Record<number, string>> = {
  [State.STATE_CLOSED]: 'closed',
  [State.STATE_OPEN]: 'open',
  [State.STATE_HALF_OPEN]: 'half-open',
  [State.STATE_ISOLATED]: 'isolated',
};

const VIEW: View<Breaker> = {
  toJson: jsonOf('tollgate.admin.v1.Breaker', Breaker),
  fields: (breaker) => [
    ['backend', breaker.backend],
    ['state', `${STATES[breaker.state] ?? ''}${breaker.storeSilent ? ' (store silent)' : ''}`],
    ['here', STATES[breaker.localState] ?? ''],
    ['retry after', formatSeconds(breaker.retryAfter)],
    ['probes', String(breaker.probes)],
    ['gateways', breaker.gateways.map(formatGateway).join(', ')],
  ],
};

export function addBreakerCommands(program: Command, io: Io): void {
  const breakers = program.command('breakers').description('circuit breakers of backends: list, isolate, reset');
  addAdminOptions(breakers.command('list').description('list them, with what each gateway sees')).action(
    (options: AdminOptions) =>
      withAdminClient(options, io, async (client) => {
        const { breakers: items } = await client.call(service.listBreakers, {});
        printList(io, options.output, VIEW, { items, more: false }, 'There are no backends.');
      }),
  );
  addChangeOptions(
    breakers.command('isolate <backend>').description('admit no calls to a backend, on any gateway, until reset'),
  ).action((backend: string, options: ChangeOptions) =>
    withChange(options, io, async (change) =>
      printOne(io, options.output, VIEW, await change(service.isolate, { backend })),
    ),
  );
  addChangeOptions(
    breakers.command('reset <backend>').description('close a breaker on every gateway, isolated or not'),
  ).action((backend: string, options: ChangeOptions) =>
    withChange(options, io, async (change) =>
      printOne(io, options.output, VIEW, await change(service.reset, { backend })),
    ),
  );
}

function formatSeconds(duration: Breaker['retryAfter']): string {
  return duration === undefined ? '' : `${(duration.seconds + duration.nanos / 1e9).toFixed(1)} s`;
}

function formatGateway({ gateway, state, calls, failures }: Breaker['gateways'][number]): string {
  return `${gateway} ${STATES[state] ?? ''} (${failures} of ${calls} failed)`;
}
