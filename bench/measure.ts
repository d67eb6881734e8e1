import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EchoBackend } from './backend-process.ts';
import type { Children } from './children.ts';
import { grpcMessage } from './fixtures.ts';
import { outputOf, runH2load } from './h2load.ts';
import type { LoadJob, LoadReport } from './load.ts';
import type { Load } from './loads.ts';

/** What a load is sent to, and whose CPU time is measured. */
export interface Target {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
}

/** One round of one load at one proxy. */
export interface Sample {
  readonly cpuMicrosPerRequest: number;
  readonly requestsPerSecond: number;
  /** Milliseconds: mean of h2load, or median and 99th percentile of our own driver. */
  readonly meanMs: number | undefined;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** What all measurements of a run share. */
export interface Bench {
  readonly children: Children;
  readonly folder: string;
  readonly backend: EchoBackend;
  readonly paths: readonly string[];
  /** CPU time of a process so far, in microseconds. */
  readonly cpu: (pid: number) => number;
}

interface Totals {
  requests: number;
  seconds: number;
  cpu: number;
  meanMs?: number;
  p50Ms?: number;
  p99Ms?: number;
}

/**
 * Sends `requests` requests of a load, spread over `keys`.
 * @throws Error when not every request was answered with its own message and trailers, once, by the backend
 */
export async function measure(
  bench: Bench,
  target: Target,
  load: Load,
  keys: readonly string[],
  requests: number,
): Promise<Sample> {
  const answeredBefore = await bench.backend.answered();
  const totals =
    load.driver === 'h2load'
      ? await h2loadWaves(bench, target, load, keys, requests)
      : await mixed(bench, target, load, keys, requests);
  const answered = (await bench.backend.answered()) - answeredBefore;
  if (answered !== totals.requests) {
    throw new Error(`${totals.requests} requests were sent, ${answered} reached the backend`);
  }
  return {
    cpuMicrosPerRequest: totals.cpu / totals.requests,
    requestsPerSecond: totals.requests / totals.seconds,
    meanMs: totals.meanMs,
    p50Ms: totals.p50Ms,
    p99Ms: totals.p99Ms,
  };
}

/** Headers are the same for all requests of an h2load process: so each is one connection with one key, and waves of them follow each other. */
async function h2loadWaves(
  bench: Bench,
  target: Target,
  load: Load,
  keys: readonly string[],
  requests: number,
): Promise<Totals> {
  const urisFile = join(bench.folder, 'uris.txt');
  const bodyFile = join(bench.folder, `body-${load.messageSize}`);
  writeFileSync(urisFile, bench.paths.map((path) => `http://127.0.0.1:${target.port}${path}\n`).join(''));
  writeFileSync(bodyFile, grpcMessage(load.messageSize));
  const each = Math.max(load.streams, Math.round(requests / keys.length));
  const totals = { requests: 0, seconds: 0, cpu: 0, meanMs: 0 };
  for (let first = 0; first < keys.length; first += load.connections) {
    const wave = keys.slice(first, first + load.connections);
    const cpuBefore = bench.cpu(target.pid);
    const jobs = wave.map((key) =>
      runH2load(bench.children, { port: target.port, key, streams: load.streams, requests: each, urisFile, bodyFile }),
    );
    const reports = await Promise.all(jobs);
    totals.cpu += bench.cpu(target.pid) - cpuBefore;
    totals.seconds += Math.max(...reports.map((report) => report.seconds));
    for (const report of reports) {
      if (report.succeeded !== each || report.dataOctets !== each * load.messageSize) {
        throw new Error(
          `of ${each} requests ${report.succeeded} succeeded, with ${report.dataOctets} octets of messages`,
        );
      }
      totals.requests += each;
      totals.meanMs += report.meanMs / keys.length;
    }
  }
  return totals;
}

async function mixed(
  bench: Bench,
  target: Target,
  load: Load,
  keys: readonly string[],
  requests: number,
): Promise<Totals> {
  const job: LoadJob = {
    port: target.port,
    connections: load.connections,
    streams: load.streams,
    requests,
    keys,
    paths: bench.paths,
    message: grpcMessage(load.messageSize).toString('base64'),
  };
  const program = join(import.meta.dirname, 'load.ts');
  const cpuBefore = bench.cpu(target.pid);
  const output = await outputOf(bench.children, process.execPath, [program, JSON.stringify(job)]);
  const cpu = bench.cpu(target.pid) - cpuBefore;
  const report = JSON.parse(output) as LoadReport;
  if (report.ok !== requests) throw new Error(`${requests - report.ok} of ${requests} requests failed`);
  return { requests, seconds: report.seconds, cpu, p50Ms: report.p50Ms, p99Ms: report.p99Ms };
}
