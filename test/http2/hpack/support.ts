import { type ExtraField, Field, Indexing, NameTable } from '../../../src/http2/field.ts';
import { HeaderBlock } from '../../../src/http2/header-block.ts';
import { Decoder, type DecoderOptions } from '../../../src/http2/hpack/decoder.ts';
import type { Encoder } from '../../../src/http2/hpack/encoder.ts';

export const INDEX = Indexing.INDEX;

export function newDecoder(options: Partial<DecoderOptions> = {}): Decoder {
  return new Decoder({ maxTableSize: 4096, maxListSize: 65_536, maxFields: 1000, names: new NameTable(), ...options });
}

/** Octets from hexadecimal digits; blanks are for the reader. */
export function octets(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
}

export function decode(decoder: Decoder, block: Buffer): HeaderBlock {
  const decoded = decoder.decode(block, 0, block.length);
  if (decoded === 'too_large') throw new Error('unexpectedly too large');
  return decoded;
}

/** Encodes into a buffer of exactly `bound()` octets, behind a guard that must stay untouched. */
export function encode(encoder: Encoder, block: HeaderBlock, extra?: readonly ExtraField[]): Buffer {
  const bound = encoder.bound(block, extra);
  const target = Buffer.alloc(bound + 16, 0xee);
  const end = encoder.encode(block, extra, target, 8);
  if (end - 8 > bound) throw new Error(`${end - 8} octets written, bound was ${bound}`);
  if (target.subarray(end).some((octet) => octet !== 0xee)) throw new Error('written behind the end');
  return target.subarray(8, end);
}

export function block(...pairs: (readonly [string, string, Indexing?])[]): HeaderBlock {
  return new HeaderBlock(pairs.map(([name, value, indexing]) => new Field(name, value, 0, indexing)));
}

/** Name and value of fields, to compare what arrived. */
export function pairs(fields: readonly Field[]): [string, string][] {
  return fields.map((field) => [field.name, field.value]);
}
