import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/http2/index.ts';
import { callByNode, callByUs, type Exchange, nodeSide, ourSide, play, type Settings } from './scenario.ts';

// node:http2 (nghttp2) as the oracle: whatever two of its peers see of a conversation, it and we must see, too.

const name = fc.stringMatching(/^x-[a-z0-9-]{1,12}$/).filter((text) => text !== 'x-index');
// No comma: joined values could not be told from one value.
const value = fc.stringMatching(/^([!-+\--~]([ -+\--~]{0,60}[!-+\--~])?)?$/);
const pairs = fc.uniqueArray(fc.tuple(name, value), { maxLength: 6, selector: ([text]) => text });
const cookies = fc.array(fc.stringMatching(/^[a-z]=[a-z0-9]{1,9}$/), { maxLength: 3 });
const headers = fc
  .tuple(pairs, cookies)
  .map(([some, crumbs]) => [...some, ...crumbs.map((crumb) => ['cookie', crumb] as [string, string])]);
const trailers = fc.option(
  pairs.filter((some) => some.length > 0),
  { nil: undefined },
);
const size = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 40_000 }), fc.constant(16_384));
const body = fc.array(size, { maxLength: 4 });
// REFUSED_STREAM is left out: both clients may repeat or report it in their own way.
const reset = fc.option(
  fc.oneof(
    fc.record({
      at: fc.constantFrom('headers' as const, 'end' as const),
      code: fc.constantFrom(1, 2, 5, 8, 11, 12, 13),
    }),
    // The one code that node:http2 can be made to reset with there.
    fc.constant({ at: 'answer' as const, code: ErrorCode.INTERNAL_ERROR }),
  ),
  { nil: undefined, freq: 5 },
);
const exchange: fc.Arbitrary<Exchange> = fc
  .record({
    headers,
    body,
    trailers,
    status: fc.constantFrom(200, 204, 400, 404, 500, 599),
    answerHeaders: pairs,
    answer: body,
    answerTrailers: trailers,
    reset,
  })
  .map((made) => (made.status === 204 ? withoutContent(made) : made));

/** node:http2 ends such a response by itself. */
function withoutContent(made: Exchange): Exchange {
  const reset = made.reset?.at === 'answer' ? undefined : made.reset;
  return { ...made, answer: [], answerTrailers: undefined, reset };
}

const settings: fc.Arbitrary<Settings> = fc.record({
  initialWindowSize: fc.constantFrom(1_000, 16_384, 65_535, 1_000_000),
  headerTableSize: fc.constantFrom(0, 100, 4_096, 65_536),
  maxConcurrentStreams: fc.constantFrom(1, 3, 100),
  padding: fc.constantFrom(0, 1, 2),
});
const conversation = fc.tuple(fc.array(exchange, { minLength: 1, maxLength: 8 }), fc.tuple(settings, settings));

const RUNS = { numRuns: 60 };

describe('what node:http2 sees of a conversation with itself', () => {
  it('it sees of one with our listener', async () => {
    await fc.assert(
      fc.asyncProperty(conversation, async ([exchanges, both]) => {
        const expected = await play(nodeSide, callByNode, exchanges, both);
        expect(await play(ourSide, callByNode, exchanges, both)).toEqual(expected);
      }),
      RUNS,
    );
  });

  it('our client sees of one with it', async () => {
    await fc.assert(
      fc.asyncProperty(conversation, async ([exchanges, both]) => {
        const expected = await play(nodeSide, callByNode, exchanges, both);
        expect(await play(nodeSide, callByUs, exchanges, both)).toEqual(expected);
      }),
      RUNS,
    );
  });

  it('our client and our listener see of each other', async () => {
    await fc.assert(
      fc.asyncProperty(conversation, async ([exchanges, both]) => {
        const expected = await play(nodeSide, callByNode, exchanges, both);
        expect(await play(ourSide, callByUs, exchanges, both)).toEqual(expected);
      }),
      RUNS,
    );
  });
});
