import type { Command } from 'commander';
import { EndedCall, DiagnosticsServiceService as service } from '../../generated/tollgate/admin/v1/diagnostics.ts';
import { fromDuration } from '../metrics/series-report.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { formatDuration } from './format-rates.ts';
import type { Io } from './io.ts';
import { printJson } from './print.ts';
import { formatFields, formatTable } from './table.ts';
import { jsonOf } from './to-json.ts';

const toJson = jsonOf('tollgate.admin.v1.EndedCall', EndedCall);

export function addTraceCommand(program: Command, io: Io): void {
  addAdminOptions(
    program
      .command('trace <request-id>')
      .description(
        "what the gateway knows of one call: the id stands in the client's error details, and in x-request-id",
      ),
  ).action((requestId: string, options: AdminOptions) =>
    withAdminClient(options, io, async (client) => {
      const { call } = await client.call(service.getCall, { requestId });
      if (call === undefined) return;
      if (options.output === 'json') printJson(io, toJson(call));
      else io.stdout.write(format(call));
    }),
  );
}

function format(call: EndedCall): string {
  const fields: (readonly [string, string])[] = [
    ['request id', call.requestId],
    ['trace id', call.traceId],
    ['method', call.method === '' ? 'none that is known' : call.method],
    ['status', call.cancelled ? `${call.status}, cancelled by the client` : call.status],
    ['reason', call.reason],
    ['message', call.message],
    ...Object.entries(call.facts).filter(([name]) => name !== 'backend'),
    ['tenant', call.tenantId === '' ? 'nobody was authenticated' : call.tenantId],
    ['principal', call.principalId],
    ['listener', call.listener],
    ['from', call.remoteAddress],
    ['started at', call.startedAt?.toISOString() ?? ''],
    ['took', inWords(call.duration)],
    ['of it backend', call.backendDuration === undefined ? 'it reached none' : inWords(call.backendDuration)],
    ...call.waits.map(({ name, duration }) => [`waited for ${name}`, inWords(duration)] as const),
    ['octets', `${call.requestOctets} from the client, ${call.responseOctets} from the backend`],
    ['backend', call.backend],
  ];
  const known = formatFields(fields.filter(([, value]) => value !== ''));
  if (call.attempts.length === 0) return known;
  const rows = call.attempts.map(({ endpoint, status, duration, notProcessed }, index) => [
    String(index + 1),
    endpoint,
    notProcessed ? `${status}, not processed` : status,
    inWords(duration),
  ]);
  return `${known}\n${formatTable(['attempt', 'endpoint', 'status', 'took'], rows)}`;
}

function inWords(duration: EndedCall['duration']): string {
  return duration === undefined ? '' : formatDuration(fromDuration(duration));
}
