import type { Children } from './children.ts';
import { findProgram } from './proxies/proxy.ts';

/** One process of h2load: one connection with one key. */
export interface H2loadJob {
  readonly port: number;
  readonly key: string;
  readonly streams: number;
  readonly requests: number;
  /** File with one URI a line: the methods, taken in turn. */
  readonly urisFile: string;
  /** File with the request's body: a gRPC message. */
  readonly bodyFile: string;
}

/** What a process of h2load reports. */
export interface H2loadReport {
  readonly seconds: number;
  /** Status 2xx and a whole answer. */
  readonly succeeded: number;
  /** Octets of DATA in all answers: a refusal, which is a 200 too, has none. */
  readonly dataOctets: number;
  readonly meanMs: number;
}

export function h2loadPath(): string | undefined {
  return findProgram('h2load');
}

/** Runs one process to its end. @throws Error when it fails or prints what it should not */
export async function runH2load(children: Children, job: H2loadJob): Promise<H2loadReport> {
  const args = ['-c', '1', '-t', '1', '-m', String(job.streams), '-n', String(job.requests)];
  args.push('-i', job.urisFile, '-B', `http://127.0.0.1:${job.port}`, '-d', job.bodyFile);
  const headers = { 'content-type': 'application/grpc', te: 'trailers', authorization: `Bearer ${job.key}` };
  for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}: ${value}`);
  return parseReport(await outputOf(children, h2loadPath()!, args));
}

/** Standard output of a program that ends well. */
export function outputOf(children: Children, command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = children.spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout?.setEncoding('utf8');
    child.stdout?.on('data', (text: string) => {
      output += text;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ended with ${code}: ${output.slice(-500)}`));
    });
  });
}

const MS_PER_UNIT: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

/** Reads what h2load prints. @throws Error when it looks different from nghttp2 1.40 to 1.60's */
export function parseReport(output: string): H2loadReport {
  const finished = /^finished in ([\d.]+)(us|ms|s|m),/m.exec(output);
  const status = /^status codes: (\d+) 2xx/m.exec(output);
  const succeeded = /, (\d+) succeeded,/.exec(output);
  const data = /\((\d+)\) data$/m.exec(output);
  const mean = /^time for request: +\S+ +\S+ +([\d.]+)(us|ms|s|m) /m.exec(output);
  if (!finished || !status || !succeeded || !data || !mean) throw new Error(`h2load printed: ${output.slice(-1500)}`);
  return {
    seconds: (Number(finished[1]) * MS_PER_UNIT[finished[2]!]!) / 1000,
    succeeded: Math.min(Number(status[1]), Number(succeeded[1])),
    dataOctets: Number(data[1]),
    meanMs: Number(mean[1]) * MS_PER_UNIT[mean[2]!]!,
  };
}
