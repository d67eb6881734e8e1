import { describe, expect, it } from 'vitest';
import { frame, WorkBench, word } from './fake-socket.ts';
import { block, request } from './support.ts';

const PACKET = 65_464;
const SETTINGS = 4;
const WINDOW_UPDATE = 8;
const DATA = 0;
/** The peer's windows, and what it is sent. */
const MUCH = 1_000_000;

describe('what a connection writes of large messages', () => {
  it('is cut to whole packets of loopback, by DATA frames that fit', async () => {
    const bench = new WorkBench({ limits: { outputLimit: MUCH } });
    bench.greet(frame(SETTINGS, 0, 0, [0, 4, ...word(MUCH)]));
    bench.feed(frame(WINDOW_UPDATE, 0, 0, word(MUCH)));
    bench.feed(frame(1, 5, 1, bench.encode(request('/a').fields)));
    const { stream } = bench.recorders.get(1)!;
    stream!.sendHeaders(block({ ':status': '200' }), undefined, false);
    await bench.frames();
    const message = Buffer.alloc(MUCH, 'm');
    // In pieces, as a socket reads them.
    for (let at = 0; at < MUCH; at += 65_536) {
      const piece = message.subarray(at, at + 65_536);
      expect(stream!.sendData(piece, 0, piece.length, false)).toBe(piece.length);
    }
    const sizes = bench.socket.taken.map(({ length }) => length);
    expect(sizes.length).toBeGreaterThan(14);
    expect(sizes.every((size) => size <= PACKET && size > PACKET - 1_100)).toBe(true);
    const data = (await bench.frames()).filter(({ type }) => type === DATA);
    expect(Buffer.concat(data.map(({ payload }) => payload)).equals(message)).toBe(true);
    expect(data.every(({ payload }) => payload.length <= 16_384)).toBe(true);
  });
});
