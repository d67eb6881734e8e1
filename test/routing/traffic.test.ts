import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Traffic } from '../../src/routing/traffic.ts';

/** Messages of these sizes as DATA has them. */
function encode(sizes: readonly number[]): Buffer {
  return Buffer.concat(
    sizes.map((size) => {
      const message = Buffer.alloc(5 + size, 0xff);
      message[0] = 0;
      message.writeUInt32BE(size, 1);
      return message;
    }),
  );
}

describe('messages of a stream', () => {
  it('are found however frames cut them', () => {
    const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(300)), { maxLength: 30 });
    fc.assert(
      fc.property(sizes, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (messages, cuts) => {
        const octets = encode(messages);
        const traffic = new Traffic('bidi_stream');
        for (let at = 0, i = 0; at < octets.length; i++) {
          const end = Math.min(octets.length, at + cuts[i % cuts.length]!);
          traffic.addRequest(octets, at, end);
          traffic.addResponse(octets, at, end);
          at = end;
        }
        expect([traffic.requestMessages, traffic.responseMessages]).toEqual([messages.length, messages.length]);
        expect([traffic.requestOctets, traffic.responseOctets]).toEqual([octets.length, octets.length]);
      }),
    );
  });

  it('a message is counted once its prefix is here, and four gibibytes are no negative number', () => {
    const traffic = new Traffic('client_stream');
    const prefix = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
    traffic.addRequest(prefix, 0, 4);
    expect(traffic.requestMessages).toBe(0);
    traffic.addRequest(prefix, 4, 5);
    traffic.addRequest(Buffer.alloc(100_000), 0, 100_000);
    expect(traffic.requestMessages).toBe(1);
  });
});

it('a direction that has one message has one as soon as there is anything', () => {
  const traffic = new Traffic('unary');
  expect([traffic.requestMessages, traffic.responseMessages]).toEqual([0, 0]);
  traffic.addRequest(encode([0]), 0, 5);
  expect([traffic.requestMessages, traffic.responseMessages]).toEqual([1, 0]);
  expect(new Traffic(undefined).requestMessages).toBe(0);
});
