import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Indexing, NameTable } from '../../../src/http2/field.ts';
import type { Decoder } from '../../../src/http2/hpack/decoder.ts';
import { HpackError } from '../../../src/http2/hpack/hpack-error.ts';
import { measureHuffman, writeHuffman } from '../../../src/http2/hpack/huffman.ts';
import { writeInteger } from '../../../src/http2/hpack/integer.ts';
import { ReferenceDecoder } from './reference-decoder.ts';
import { decode, newDecoder, octets, pairs } from './support.ts';

/** What was decoded, or that it was refused; anything but an HpackError fails the test. */
function outcome(decoder: Decoder, octets: Buffer): unknown {
  try {
    const decoded = decoder.decode(octets, 0, octets.length);
    if (decoded === 'too_large') return decoded;
    return decoded.fields.map((f) => [f.name, f.value, f.indexing === Indexing.NEVER]);
  } catch (error) {
    expect(error).toBeInstanceOf(HpackError);
    return 'refused';
  }
}

function referenceOutcome(decoder: ReferenceDecoder, octets: Buffer): unknown {
  try {
    return decoder.decode(octets);
  } catch {
    return 'refused';
  }
}

const octetsThatMeanMore = [0x20, 0x3f, 0x40, 0x41, 0x7e, 0x7f, 0x82, 0xbe, 0xbf, 0xc0, 0xff, 0, 1, 2, 0x10];
const hostileBlock = fc
  .oneof(fc.uint8Array({ maxLength: 40 }), fc.array(fc.constantFrom(...octetsThatMeanMore), { maxLength: 40 }))
  .map((values) => Buffer.from(values));

/** A literal in any representation, with a static, dynamic or literal name. */
const literal = fc
  .record({
    first: fc.constantFrom(0x00, 0x10, 0x40, 0x04, 0x14, 0x44, 0x7e),
    name: fc.constantFrom('a', 'x-b'),
    value: fc.constantFrom('', 'v', '/path', 'w'.repeat(70), 'z'.repeat(120)),
    huffman: fc.boolean(),
  })
  .map(({ first, name, value, huffman }) => {
    const target = Buffer.alloc(300);
    target[0] = first;
    let at = 1;
    for (const text of (first & 0x0f) === 0 ? [name, value] : [value]) {
      at = writeInteger(huffman ? measureHuffman(text) : text.length, 0x7f, huffman ? 0x80 : 0, target, at);
      at = huffman ? writeHuffman(text, target, at) : at + target.write(text, at, 'latin1');
    }
    return target.subarray(0, at);
  });
const indexed = fc.constantFrom(0x82, 0x84, 0xbe, 0xbf, 0xc0).map((octet) => Buffer.of(octet));
const update = fc.constantFrom('', '', '', '', '', '3f21', '3fe11f').map((hex) => Buffer.from(hex, 'hex'));
const plausibleBlock = fc
  .tuple(update, fc.array(fc.oneof(indexed, literal), { maxLength: 6 }))
  .map(([first, rest]) => Buffer.concat([first, ...rest]));

describe('the decoder', () => {
  it.each([
    ['index 0', '80'],
    ['an index beyond the tables', 'be'],
    ['a name index beyond the tables', '7e 0161'],
    ['a table size above the limit', '3f e2 1f'],
    ['a table size update behind a field', '82 20'],
    ['an integer above 2^31 - 1', 'ff 80 ff ff ff 07'],
    ['an integer of six octets behind the prefix', 'ff 80 80 80 80 80 00'],
    ['an integer cut off', 'ff 80'],
    ['a literal without a value', '0001 61'],
    ['a string cut off', '0001 6105 62'],
    ['a string of 2 GiB', '0001 617f 80 ff ff ff 07'],
    ['a name with a bad Huffman code', '0082 ffff 0161'],
    ['a value with a bad Huffman code', '0001 6182 ffff'],
  ])('refuses %s', (_, hex) => {
    expect(() => decode(newDecoder(), octets(hex))).toThrow(HpackError);
  });

  it('takes several table size updates before the first field', () => {
    const decoder = newDecoder();
    decode(decoder, octets('4001 6101 62'));
    expect(pairs(decode(decoder, octets('20 3f e1 1f 82')).fields)).toEqual([[':method', 'GET']]);
    expect(decoder.tableSize).toBe(0);
  });

  it('gives fields what the name table says of them', () => {
    const names = new NameTable([
      [':path', 7],
      ['x-a', 8, Indexing.SKIP],
    ]);
    const { fields } = decode(newDecoder({ names }), octets('84 4003 782d 6101 62 1003 782d 6101 62'));
    expect(fields.map((f) => [f.kind, f.indexing])).toEqual([
      [7, Indexing.INDEX],
      [8, Indexing.SKIP],
      [8, Indexing.NEVER],
    ]);
  });

  it('gives the same field objects on all connections for what is in the static table', () => {
    const names = new NameTable();
    const [first, second] = [newDecoder({ names }), newDecoder({ names })].map((d) => decode(d, octets('83')));
    expect(first?.fields[0] === second?.fields[0]).toBe(true);
  });

  it('gives the same block for the same octets, until the table changes', () => {
    const decoder = newDecoder();
    decode(decoder, octets('4001 6101 62'));
    const repeated = octets('82 be');
    decode(decoder, repeated);
    const block = decode(decoder, repeated);
    expect(decode(decoder, repeated) === block).toBe(true);
    decode(decoder, octets('4001 6301 64'));
    expect(pairs(decode(decoder, repeated).fields)).toEqual([
      [':method', 'GET'],
      ['c', 'd'],
    ]);
  });

  it('gives the same field for a literal that repeats', () => {
    const decoder = newDecoder();
    const path = '0403 2f61 62';
    const [, second, third] = ['', '82', '83'].map((other) => decode(decoder, octets(path + other)).fields[0]);
    expect(second?.value).toBe(third?.value);
    expect(second === third).toBe(true);
  });

  it('keeps a literal received as sensitive apart from the same literal that is not', () => {
    const decoder = newDecoder();
    const kinds = ['00', '10', '00', '10', '00', '10'].map(
      (flags) => decode(decoder, octets(`${flags}01 6101 62`)).fields[0]?.indexing,
    );
    expect(kinds).toEqual([0, 2, 0, 2, 0, 2]);
  });
});

describe('the limits of the decoder', () => {
  it('keeps the table right through a block that is too large', () => {
    const decoder = newDecoder({ maxListSize: 100 });
    const large = octets(`4001 6101 62${'be'.repeat(1000)}4001 6301 64`);
    expect(decoder.decode(large, 0, large.length)).toBe('too_large');
    expect(pairs(decode(decoder, octets('be bf')).fields)).toEqual([
      ['c', 'd'],
      ['a', 'b'],
    ]);
  });

  it('counts fields', () => {
    const decoder = newDecoder({ maxFields: 3 });
    expect(decode(decoder, octets('828282')).fields.length).toBe(3);
    expect(decoder.decode(octets('82828282'), 0, 4)).toBe('too_large');
  });

  it('binds the peer to a smaller table only once the settings are acknowledged', () => {
    const decoder = newDecoder({ maxTableSize: 64 });
    decode(decoder, octets('4001 6101 62'));
    decoder.settingsAcknowledged();
    expect(() => decode(decoder, octets('be'))).toThrow(/update missing/);
    const other = newDecoder({ maxTableSize: 64 });
    other.settingsAcknowledged();
    expect(pairs(decode(other, octets('3f21 82')).fields)).toEqual([[':method', 'GET']]);
    expect(() => decode(other, octets('3f22 82'))).toThrow(/above 64/);
  });

  it('hold for any octets, and nothing but an HpackError is thrown', () => {
    fc.assert(
      fc.property(fc.array(hostileBlock, { maxLength: 20 }), (blocks) => {
        const decoder = newDecoder({ maxTableSize: 128, maxListSize: 200, maxFields: 5 });
        for (const each of blocks) {
          const result = outcome(decoder, each);
          expect(decoder.tableSize).toBeLessThanOrEqual(4096);
          if (result === 'refused') return;
          if (Array.isArray(result)) expect(result.length).toBeLessThanOrEqual(5);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the caches of the decoder change nothing: it gives what a decoder without any gives', () => {
  it('for blocks that come again and again', () => {
    fc.assert(
      fc.property(
        fc.array(plausibleBlock, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 60 }),
        (blocks, order) => {
          const decoder = newDecoder();
          const reference = new ReferenceDecoder();
          for (const number of order) {
            const octets = blocks[number % blocks.length] ?? Buffer.alloc(0);
            const expected = referenceOutcome(reference, octets);
            expect(outcome(decoder, octets)).toEqual(expected);
            if (expected === 'refused') return;
            expect(decoder.tableSize).toBe(reference.size);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('for any octets', () => {
    fc.assert(
      fc.property(fc.array(hostileBlock, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 20 }), (blocks, order) => {
        const decoder = newDecoder();
        const reference = new ReferenceDecoder();
        for (const number of order) {
          const octets = blocks[number % Math.max(1, blocks.length)] ?? Buffer.alloc(0);
          const expected = referenceOutcome(reference, octets);
          expect(outcome(decoder, octets)).toEqual(expected);
          if (expected === 'refused') return;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('for blocks between which its table is packed away', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(plausibleBlock, fc.boolean()), { minLength: 1, maxLength: 40 }), (blocks) => {
        let decoder = newDecoder();
        const reference = new ReferenceDecoder();
        for (const [octets, packs] of blocks) {
          if (packs) {
            const packed = decoder.pack();
            decoder = newDecoder();
            decoder.unpack(packed);
          }
          const expected = referenceOutcome(reference, octets);
          expect(outcome(decoder, octets)).toEqual(expected);
          if (expected === 'refused') return;
          expect(decoder.tableSize).toBe(reference.size);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('while their gate is shut, and after it opens again', () => {
    const decoder = newDecoder();
    for (let i = 0; i < 1000; i++) {
      const unique = Buffer.from(`\x00\x01a\x04${String(i).padStart(4, '0')}`, 'latin1');
      expect(outcome(decoder, unique)).toEqual([['a', String(i).padStart(4, '0'), false]]);
    }
    const repeated = octets('82 84');
    for (let i = 0; i < 500; i++) decode(decoder, repeated);
    const known = decode(decoder, repeated);
    expect(decode(decoder, repeated) === known).toBe(true);
  });
});
