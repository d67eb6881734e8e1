import { describe, expect, test } from 'vitest';
import { type TurnReader, TurnReads } from '../../src/http2/turn-reads.ts';

/** Writes down what it is given, under its name. */
function reader(name: string, log: string[], onWork: () => void = () => {}): TurnReader {
  return {
    work: (buffer, start, end) => {
      log.push(`${name} ${buffer.toString('latin1', start, end).slice(0, 8)}`);
      onWork();
    },
  };
}

/** As a connection does it. */
function read(reads: TurnReads, who: TurnReader, octets: Buffer): void {
  if (!reads.keep(who, octets, 0, octets.length)) who.work(octets, 0, octets.length);
  octets.fill(0);
}

const small = (text: string) => Buffer.from(text);
const large = (text: string) => Buffer.alloc(10_000, text);

describe('the reads of a turn', () => {
  test('small ones wait for its end, as copies, and keep their order', () => {
    const log: string[] = [];
    const reads = new TurnReads();
    const [a, b] = [reader('a', log), reader('b', log)];
    read(reads, a, small('1'));
    read(reads, b, small('2'));
    read(reads, a, small('3'));
    expect(log).toEqual([]);
    reads.work();
    expect(log).toEqual(['a 1', 'b 2', 'a 3']);
    expect(reads.isEmpty).toBe(true);
    reads.work();
    expect(log).toHaveLength(3);
  });

  test('a large one is worked on at once, behind those before it', () => {
    const log: string[] = [];
    const reads = new TurnReads();
    const a = reader('a', log);
    read(reads, a, small('1'));
    read(reads, a, large('2'));
    expect(log).toEqual(['a 1', 'a 22222222']);
    read(reads, a, small('3'));
    reads.work();
    expect(log.at(-1)).toBe('a 3');
  });

  test('what is read while others are worked on comes behind them, however long it is', () => {
    const log: string[] = [];
    const reads = new TurnReads();
    const late = reader('late', log);
    const first = reader('first', log, () => {
      read(reads, late, large('x'));
      read(reads, late, small('y'));
      reads.work();
    });
    read(reads, first, small('1'));
    read(reads, late, small('2'));
    reads.work();
    expect(log).toEqual(['first 1', 'late 2', 'late xxxxxxxx', 'late y']);
    expect(reads.isEmpty).toBe(true);
  });

  test('many, which have no room together, are all worked on in their order', () => {
    const log: string[] = [];
    const reads = new TurnReads();
    const a = reader('a', log);
    for (let i = 0; i < 500; i++) read(reads, a, Buffer.from(String(i).padEnd(1_000)));
    reads.work();
    expect(log).toEqual(Array.from({ length: 500 }, (_, i) => `a ${String(i).padEnd(8)}`));
  });
});
