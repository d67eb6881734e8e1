import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { statTicks } from '../../bench/cpu.ts';
import { benchTenants, grpcMessage, methodPaths } from '../../bench/fixtures.ts';
import { parseReport } from '../../bench/h2load.ts';
import { LOADS } from '../../bench/loads.ts';
import { keysOfRound } from '../../bench/rounds.ts';
import { loadTable, median } from '../../bench/table.ts';
import { writeBetweenMarkers } from '../../bench/write.ts';

const H2LOAD = `
finished in 469.79ms, 425725.76 req/s, 44.66MB/s
requests: 200000 total, 200000 started, 200000 done, 199998 succeeded, 2 failed, 0 errored, 0 timeout
status codes: 199999 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 20.98MB (22000740) total, 390.79KB (400170) headers (space savings 94.73%), 15.26MB (16000000) data
                     min         max         mean         sd        +/- sd
time for request:      132us      6.51ms       726us       771us    92.12%
time for connect:      120us      3.18ms       686us       898us    90.00%
`;

test('what h2load prints is read in seconds and milliseconds, and the lesser count of successes is believed', () => {
  expect(parseReport(H2LOAD)).toEqual({
    seconds: expect.closeTo(0.46979),
    succeeded: 199998,
    dataOctets: 16000000,
    meanMs: 0.726,
  });
});

test('a report of h2load that looks different is an error, not a zero', () => {
  expect(() => parseReport('finished in 1s')).toThrow('h2load printed');
});

test('CPU ticks are found behind a process name with brackets and spaces', () => {
  expect(statTicks('7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 1 0 5 6 7')).toBe(110);
});

test('all keys come at least once over the rounds, in full waves, unless a load bounds them', () => {
  const tenants = benchTenants(500);
  for (const load of LOADS.filter(({ keysPerRound }) => keysPerRound > 500)) {
    const rounds = [0, 1, 2].map((round) => keysOfRound(load, tenants, round, 3));
    expect(new Set(rounds.flat()).size).toBe(500);
    for (const keys of rounds) expect(keys.length % load.connections).toBe(0);
  }
});

test('messages are gRPC messages of exactly the size asked for', () => {
  for (const size of [71, 256 * 1024]) {
    const message = grpcMessage(size);
    expect(message.length).toBe(size);
    expect(message.readUInt32BE(1)).toBe(size - 5);
  }
  expect(methodPaths()).toHaveLength(20);
});

test('tables show medians, their spread and the ratio to the reference', () => {
  const sample = (cpu: number) => ({
    cpuMicrosPerRequest: cpu,
    requestsPerSecond: 1000 * cpu,
    meanMs: 1,
    p50Ms: undefined,
    p99Ms: undefined,
  });
  const table = loadTable('A', [
    { name: 'HAProxy', samples: [10, 20, 11].map(sample), residentOctets: 2 ** 20, failure: undefined },
    { name: 'Tollgate', samples: [5, 5.5, 9].map(sample), residentOctets: 2 ** 21, failure: undefined },
    { name: 'other', samples: [], residentOctets: 0, failure: 'crashed' },
  ]);
  expect(table).toContain('| HAProxy | 11.0 | 10.0 to 20.0 | 1.00 | 11000 | 1.00 | 1 |');
  expect(table).toContain('| Tollgate | 5.50 | 5.00 to 9.00 | 0.50 | 5500 | 1.00 | 2 |');
  expect(table).toContain('| other | failed: crashed |');
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('only what stands between the markers of a document is replaced', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-write-'));
  const path = join(folder, 'doc.md');
  try {
    writeFileSync(path, 'a `<!-- bench -->` b\n<!-- bench -->\nold\n<!-- bench -->\nb\n');
    expect(writeBetweenMarkers(path, 'new')).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('a `<!-- bench -->` b\n<!-- bench -->\nnew\n<!-- bench -->\nb\n');
    writeFileSync(path, 'no markers');
    expect(writeBetweenMarkers(path, 'new')).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
