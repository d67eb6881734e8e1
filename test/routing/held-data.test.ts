import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Stream } from '../../src/http2/index.ts';
import { HeldData } from '../../src/routing/held-data.ts';

test('what is held comes out as it went in, in one piece, whatever the sizes', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 50 }), fc.boolean(), (pieces, ends) => {
      const held = new HeldData();
      for (const piece of pieces) {
        const source = Buffer.concat([Buffer.from('ab'), piece, Buffer.from('c')]);
        held.push(source, 2, 2 + piece.length);
        source.fill(0);
      }
      const all = Buffer.concat(pieces);
      expect(held.length).toBe(all.length);
      const sent: unknown[] = [];
      const stream: Pick<Stream, 'sendData'> = {
        sendData: (buffer, start, end, endStream) => {
          sent.push([Buffer.from(buffer.subarray(start, end)), endStream]);
          return end - start;
        },
      };
      expect(held.release(stream, ends)).toBe(all.length);
      expect(sent).toEqual([[all, ends]]);
    }),
  );
});
