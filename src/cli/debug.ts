import { mkdir, open, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import {
  GetStateResponse,
  DiagnosticsServiceService as service,
} from '../../generated/tollgate/admin/v1/diagnostics.ts';
import {
  GetMetricsRequest,
  GetMetricsResponse,
  MetricsServiceService,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { toDuration } from '../metrics/series-report.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import type { Io } from './io.ts';
import { parseDuration } from './parse-values.ts';
import { jsonOf } from './to-json.ts';

const stateToJson = jsonOf('tollgate.admin.v1.GetStateResponse', GetStateResponse);
const metricsToJson = jsonOf('tollgate.metrics.v1.GetMetricsResponse', GetMetricsResponse);
const DEFAULT_PROFILE_MS = 5000;

interface DebugOptions extends AdminOptions {
  readonly out: string;
  readonly profile: number;
}

/** What a bug report needs of a running gateway, in a folder. Keys and payloads are in none of the files. */
export function addDebugCommand(program: Command, io: Io): void {
  addAdminOptions(
    program.command('debug').description('write state, metrics and a CPU profile of a running gateway to a folder'),
  )
    .option('--out <folder>', 'where to', './tollgate-debug')
    .addOption(
      new Option('--profile <duration>', 'how long the CPU is measured, at most 1m')
        .argParser(parseDuration)
        .default(DEFAULT_PROFILE_MS, '5s'),
    )
    .action((options: DebugOptions) =>
      withAdminClient(options, io, async (client) => {
        const folder = resolve(io.cwd, options.out);
        await mkdir(folder, { recursive: true });
        const write = (name: string, value: unknown) =>
          writeFile(join(folder, name), `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
        await write('state.json', stateToJson(await client.call(service.getState, {})));
        const query = GetMetricsRequest.fromPartial({});
        await write('metrics.json', metricsToJson(await client.call(MetricsServiceService.getMetrics, query)));
        const file = await open(join(folder, 'cpu.cpuprofile'), 'w', 0o600);
        try {
          const request = { duration: toDuration(options.profile) };
          const pieces = client.stream(service.getCpuProfile, request, new AbortController().signal);
          for await (const { piece } of pieces) await file.write(piece);
        } finally {
          await file.close();
        }
        io.stdout.write(`Written to ${folder}: state.json, metrics.json, cpu.cpuprofile\n`);
      }),
    );
}
