import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackError } from '../../../src/http2/hpack/hpack-error.ts';
import { decodeHuffman, measureHuffman, writeHuffman } from '../../../src/http2/hpack/huffman.ts';
import { octets } from './support.ts';

function encode(text: string): Buffer {
  const target = Buffer.alloc(measureHuffman(text) + 1, 0xee);
  const end = writeHuffman(text, target, 0);
  expect(end).toBe(measureHuffman(text));
  expect(target[end]).toBe(0xee);
  return target.subarray(0, end);
}

const decode = (hex: string): string => decodeHuffman(octets(hex), 0, octets(hex).length);

describe('Huffman coding', () => {
  it('gives back any octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (values) => {
        const text = Buffer.from(values).toString('latin1');
        const coded = encode(text);
        expect(decodeHuffman(coded, 0, coded.length)).toBe(text);
      }),
    );
  });

  it('gives back strings larger than its scratch buffer', () => {
    const text = 'abcdefghi \xff'.repeat(5000);
    const coded = encode(text);
    expect(decodeHuffman(coded, 0, coded.length)).toBe(text);
  });

  it.each([
    ['0', '07'],
    ['www.example.com', 'f1e3 c2e5 f23a 6ba0 ab90 f4ff'],
    ['\n', 'ffff fff3'],
    ['\xff', 'ffff fbbf'],
  ])('codes %j as the RFC does', (text, hex) => {
    expect(encode(text)).toEqual(octets(hex));
    expect(decode(hex)).toBe(text);
  });

  it('decodes the empty string', () => {
    expect(decode('')).toBe('');
  });

  it.each([
    ['a whole octet of padding', '07 ff'],
    ['padding alone', 'ff'],
    ['padding of zeros', '00'],
    ['padding that is not all ones', '06'],
    ['EOS', 'ffff ffff'],
    ['EOS behind symbols', '07 ffff fffc'],
    ['a code cut off', 'ffff fe'],
  ])('refuses %s', (_, hex) => {
    expect(() => decode(hex)).toThrow(HpackError);
  });

  it('refuses or gives what codes to the same octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (values) => {
        let text: string;
        try {
          text = decodeHuffman(values, 0, values.length);
        } catch (error) {
          expect(error).toBeInstanceOf(HpackError);
          return;
        }
        expect(encode(text)).toEqual(Buffer.from(values));
      }),
    );
  });
});
