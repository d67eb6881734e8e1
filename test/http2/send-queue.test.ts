import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SendQueue } from '../../src/http2/send-queue.ts';

describe('a send queue', () => {
  it('gives octets back in order, however they are put in and taken out', () => {
    const source = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 131 + (index >> 8)) & 255));
    const sizes = fc.array(fc.tuple(fc.nat(40_000), fc.nat(40_000)), { maxLength: 30 });
    fc.assert(
      fc.property(sizes, (steps) => {
        const queue = new SendQueue();
        const target = Buffer.alloc(source.length);
        let put = 0;
        let got = 0;
        for (const [more, less] of steps) {
          const end = Math.min(put + more, source.length);
          queue.push(source, put, end);
          put = end;
          const taken = Math.min(less, queue.size);
          queue.shift(target, got, taken);
          got += taken;
          expect(queue.size).toBe(put - got);
        }
        queue.shift(target, got, queue.size);
        expect(target.subarray(0, put).equals(source.subarray(0, put))).toBe(true);
      }),
    );
  });

  it('holds 3 MB that came octet by octet in little more than 3 MB', () => {
    const queue = new SendQueue();
    const octet = Buffer.from('x');
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 3_000_000; count++) queue.push(octet, 0, 1);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000);
    const target = Buffer.alloc(3_000_000);
    queue.shift(target, 0, 3_000_000);
    expect(target.equals(Buffer.alloc(3_000_000, 'x'))).toBe(true);
  });

  it('is empty after it was cleared, and can be used again', () => {
    const queue = new SendQueue();
    queue.push(Buffer.alloc(50_000), 0, 50_000);
    queue.clear();
    expect(queue.size).toBe(0);
    queue.push(Buffer.from('again'), 0, 5);
    const target = Buffer.alloc(5);
    queue.shift(target, 0, 5);
    expect(target.toString()).toBe('again');
  });
});
