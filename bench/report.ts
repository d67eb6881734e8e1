import { describeMachine } from './machine.ts';
import type { LoadResult } from './rounds.ts';
import type { StartedProxies } from './start-proxies.ts';
import { loadTable } from './table.ts';

/** All that a run has found, as Markdown. */
export function report(
  command: string,
  date: string,
  rounds: number,
  proxies: StartedProxies,
  loads: readonly LoadResult[],
): string {
  const versions = proxies.running.map(({ name, version, proxy }) => `${name} ${version} (${proxy.does})`);
  const directs = loads.map(
    ({ load, direct }) =>
      `${load.name} ${Math.round(direct.requestsPerSecond)}/s at ${direct.cpuMicrosPerRequest.toFixed(1)} us`,
  );
  const lost = [...proxies.missing, ...proxies.broken.map((line) => line.split('\n', 1)[0]!)];
  return [
    `Measured ${date} on ${describeMachine()}; medians of ${rounds} interleaved rounds, by \`${command}\`.`,
    ...loads.map(({ load, rows }) => loadTable(load.title, rows)),
    `${versions.join('; ')}.`,
    `The echo backend without a proxy: ${directs.join(', ')} of its CPU per request.`,
    ...lost.map((line) => `Not measured: ${line}.`),
  ].join('\n\n');
}
