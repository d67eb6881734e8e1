import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Field, Indexing, WrittenField } from '../../../src/http2/field.ts';
import { HeaderBlock } from '../../../src/http2/header-block.ts';
import { Encoder } from '../../../src/http2/hpack/encoder.ts';
import { ReferenceDecoder } from './reference-decoder.ts';
import { block, decode, encode, newDecoder, octets, pairs } from './support.ts';

const newEncoder = (maxTableSize = 4096): Encoder => new Encoder({ maxTableSize });

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Encodes until the block is remembered. @returns the encoder, if anything else still holds it */
function encoderOf(fields: HeaderBlock): WeakRef<Encoder> {
  const encoder = newEncoder();
  for (let i = 0; i < 3; i++) encode(encoder, fields);
  return new WeakRef(encoder);
}

/** A block that the encoder remembers. */
function encodedBy(encoder: Encoder): HeaderBlock {
  const fields = block(['custom-key', 'custom-value']);
  for (let i = 0; i < 3; i++) encode(encoder, fields);
  return fields;
}

class Written extends WrittenField {
  readonly name: string;
  readonly #value: string;

  constructor(name: string, value: string) {
    super();
    this.name = name;
    this.#value = value;
  }

  get length(): number {
    return this.#value.length;
  }

  writeValue(target: Buffer, at: number): void {
    target.latin1Write(this.#value, at);
  }
}

/** Says what was written before it in the block, as the encoder told. */
class Echo extends Written {
  told: string | undefined;

  override writeValue(target: Buffer, at: number, last?: WrittenField, lastAt = 0): void {
    super.writeValue(target, at);
    this.told = last && `${last.name}: ${target.latin1Slice(lastAt, lastAt + last.length)}`;
  }
}

describe('the encoder', () => {
  it('tells a written field of the one before it, and where its value is', () => {
    const extra = [
      new Echo('first', 'x'),
      new Field('a', 'b'),
      new Echo('next', 'y'.repeat(200)),
      new Echo('last', 'z'),
    ];
    const encoder = new Encoder({ maxTableSize: 4096 });
    const fields = block(['custom-key', 'custom-value']);
    for (let i = 0; i < 3; i++) {
      encode(encoder, fields, extra);
      expect(extra.flatMap((field) => (field.isWritten ? [field.told] : []))).toEqual([
        undefined,
        'first: x',
        `next: ${'y'.repeat(200)}`,
      ]);
    }
  });

  it('is not kept alive by the blocks that it has encoded', async () => {
    const fields = block(['custom-key', 'custom-value']);
    const encoder = encoderOf(fields);
    // What a WeakRef was made of is held until the turn's end.
    await setImmediate();
    collect();
    expect([encoder.deref(), fields.encoded]).toEqual([undefined, expect.anything()]);
  });

  it('does not keep blocks alive that no other encoder sends', async () => {
    const encoder = newEncoder();
    const fields = new WeakRef(encodedBy(encoder));
    await setImmediate();
    collect();
    expect(fields.deref()).toBe(undefined);
    expect(encoder.tableSize).toBeGreaterThan(0);
  });

  it('sends an index for what is in the static table', () => {
    expect(encode(newEncoder(), block([':method', 'POST'], [':path', '/'], [':status', '200']))).toEqual(
      octets('838488'),
    );
  });

  it('indexes a field, and sends it as an index from then on', () => {
    const encoder = newEncoder();
    const fields = block(['custom-key', 'custom-value']);
    expect(encode(encoder, fields)).toEqual(octets('4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf'));
    expect(encode(encoder, fields)).toEqual(octets('be'));
  });

  it('knows a field by its name and value when another object carries them', () => {
    const encoder = newEncoder();
    encode(encoder, block(['a', 'b']));
    expect(encode(encoder, block(['a', 'b']))).toEqual(octets('be'));
    expect(encode(encoder, block(['a\0b', 'c']))).not.toEqual(encode(newEncoder(), block(['a', 'b\0c'])));
  });

  it('names a field by the static or the dynamic table', () => {
    const encoder = newEncoder();
    encode(encoder, block(['x-a', '1']));
    expect(encode(encoder, block(['x-a', 'b', Indexing.SKIP], [':path', 'p', Indexing.SKIP]))).toEqual(
      octets('0f 2f 01 62  04 01 70'),
    );
  });

  it('writes literals without indexing and never indexed raw, every time', () => {
    const encoder = newEncoder();
    const fields = block(['x', 'y', Indexing.SKIP], ['s', 't', Indexing.NEVER], [':path', '/', Indexing.NEVER]);
    for (let i = 0; i < 3; i++) expect(encode(encoder, fields)).toEqual(octets('0001 7801 79 1001 7301 74 1401 2f'));
    expect(encoder.tableSize).toBe(0);
  });

  it('writes extra fields behind those of the block', () => {
    const extra = [new Field('x', '1', 0, Indexing.SKIP), new Field('x', '2')];
    const encoder = newEncoder();
    const [first, second] = [0, 1].map(() => Buffer.from(encode(encoder, block([':method', 'GET']), extra)));
    expect(first?.subarray(0, 6)).toEqual(octets('82 0001 7801 31'));
    expect(second).toEqual(octets('82 0f2f 0131 be'));
  });

  it('lets the first of a field that writes its value itself enter, where there is room, for its name', () => {
    const encoder = newEncoder();
    const decoder = newDecoder();
    const sent = ['1', '2', '3'].map((value) => encode(encoder, block([':method', 'GET']), [new Written('x', value)]));
    expect(sent).toEqual(['82 4001 7801 31', '82 0f2f 0132', '82 0f2f 0133'].map(octets));
    expect(sent.map((each) => pairs(decode(decoder, each).fields)[1])).toEqual(['1', '2', '3'].map((v) => ['x', v]));
    // 34 octets of the 4,096 are its own; what comes behind it pushes it out, and it does not push back.
    for (let i = 0; encoder.tableSize + 40 <= 4096; i++) encode(encoder, block(['f', `${1000 + i}`]));
    const size = encoder.tableSize;
    expect(encode(encoder, block(), [new Written('y', '1')])).toEqual(octets('0001 7901 31'));
    expect(encoder.tableSize).toBe(size);
  });

  it('does not let a field above a quarter of the table enter it', () => {
    const encoder = newEncoder();
    encode(encoder, block(['large', 'v'.repeat(1000)]));
    expect(encoder.tableSize).toBe(0);
  });

  it('keeps to its own limit whatever the peer allows, and tells it before the first field', () => {
    const encoder = newEncoder(100);
    encoder.setPeerTableSize(65_536);
    expect(encode(encoder, block([':method', 'GET']))).toEqual(octets('3f45 82'));
    expect(encode(encoder, block([':method', 'GET']))).toEqual(octets('82'));
  });

  it('tells the smallest and then the last of several table sizes', () => {
    const encoder = newEncoder();
    encode(encoder, block(['a', 'b']));
    encoder.setPeerTableSize(0);
    encoder.setPeerTableSize(1024);
    encoder.setPeerTableSize(100);
    expect(encode(encoder, block([':method', 'GET']))).toEqual(octets('20 3f45 82'));
    expect(encoder.tableSize).toBe(0);
  });

  it('uses the static table when the peer wants no dynamic one', () => {
    const encoder = newEncoder();
    encoder.setPeerTableSize(0);
    const fields = block([':method', 'POST'], ['a', 'b']);
    expect(encode(encoder, fields)).toEqual(octets('20 83 0001 6101 62'));
    expect(encode(encoder, fields)).toEqual(octets('83 0001 6101 62'));
  });
});

/** Encodes and decodes; returns what was sent, having checked that it arrived. */
function roundTrip(encoder: Encoder, decoder: ReturnType<typeof newDecoder>, sent: HeaderBlock): number {
  const wire = encode(encoder, sent);
  expect(pairs(decode(decoder, wire).fields)).toEqual(pairs(sent.fields));
  return wire.length;
}

describe('a table that is full', () => {
  const full = (): { encoder: Encoder; decoder: ReturnType<typeof newDecoder> } => {
    const [encoder, decoder] = [newEncoder(), newDecoder()];
    for (let i = 0; i < 200; i++) roundTrip(encoder, decoder, block(['filler', `value-${i}-${'x'.repeat(60)}`]));
    return { encoder, decoder };
  };

  it('takes a field that keeps coming, and evicts the oldest for it', () => {
    const { encoder, decoder } = full();
    const hot = block(['hot', 'h'.repeat(100)]);
    const sizes = [1, 2, 3, 4].map(() => roundTrip(encoder, decoder, hot));
    expect(sizes[3]).toBe(1);
    expect(encoder.tableSize).toBeLessThanOrEqual(4096);
  });

  it('is left alone by fields that come once', () => {
    const { encoder, decoder } = full();
    const before = pairs(decoder.tableFields);
    for (let i = 0; i < 3000; i++) roundTrip(encoder, decoder, block(['tenant', `${i}-${'z'.repeat(100)}`]));
    expect(pairs(decoder.tableFields)).toEqual(before);
  });

  it('changes no more than once in 64 blocks when more fields keep coming than fit, after a burst', () => {
    const { encoder, decoder } = full();
    const fields = Array.from({ length: 100 }, (_, i) => block(['tenant', `${i}-${'y'.repeat(60)}`]));
    let changes = 0;
    let newest = decoder.tableFields[0];
    for (let i = 0; i < 6400; i++) {
      roundTrip(encoder, decoder, fields[i % 100] ?? block());
      if (decoder.tableFields[0] !== newest) changes++;
      newest = decoder.tableFields[0];
    }
    expect(changes).toBeGreaterThan(32);
    expect(changes).toBeLessThanOrEqual(32 + 100 + 5);
  });
});

const name = fc.oneof(
  fc.constantFrom(':method', ':path', 'content-type', 'te', 'x-a', 'x-b', ''),
  fc.string({ unit: fc.constantFrom('a', 'b', '-', '\0'), maxLength: 80 }),
);
const value = fc.oneof(
  fc.constantFrom('', 'GET', 'POST', '/', 'trailers', '1', '2', '3'),
  fc.uint8Array({ maxLength: 60 }).map((values) => Buffer.from(values).toString('latin1')),
  fc.integer({ min: 0, max: 3000 }).map((length) => 'long '.repeat(length / 5)),
);
const field = fc
  .record({ name, value, indexing: fc.constantFrom(Indexing.INDEX, Indexing.INDEX, Indexing.SKIP, Indexing.NEVER) })
  .map((f) => new Field(f.name, f.value, 0, f.indexing));
const anyBlock = fc.array(field, { maxLength: 8 }).map((fields) => new HeaderBlock(fields));
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ send: fc.nat(), extra: fc.option(fc.nat(), { nil: undefined }) }) },
  { weight: 1, arbitrary: fc.record({ resize: fc.constantFrom(0, 33, 100, 500, 4096, 10_000) }) },
);

describe('what the encoder writes', () => {
  it('arrives as it was sent, over any sequence of blocks and table sizes', () => {
    fc.assert(
      fc.property(
        fc.array(anyBlock, { minLength: 1, maxLength: 6 }),
        fc.array(step, { maxLength: 80 }),
        fc.constantFrom(0, 64, 300, 4096, 16_384),
        (blocks, steps, ownLimit) => {
          const encoder = newEncoder(ownLimit);
          const decoder = newDecoder({ maxTableSize: 16_384 });
          for (const each of steps) {
            if ('resize' in each) {
              encoder.setPeerTableSize(each.resize);
              continue;
            }
            const sent = blocks[each.send % blocks.length] ?? new HeaderBlock([]);
            const extra = each.extra === undefined ? undefined : blocks[each.extra % blocks.length]?.fields;
            const arrived = decode(decoder, encode(encoder, sent, extra));
            const expected = [...sent.fields, ...(extra ?? [])];
            expect(pairs(arrived.fields)).toEqual(pairs(expected));
            const isNever = (f: Field): boolean => f.indexing === Indexing.NEVER;
            expect(arrived.fields.map(isNever)).toEqual(expected.map(isNever));
            expect(encoder.tableSize).toBe(decoder.tableSize);
            expect(encoder.tableSize).toBeLessThanOrEqual(ownLimit);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is read alike by a decoder that shares no code with it', () => {
    fc.assert(
      fc.property(fc.array(anyBlock, { maxLength: 20 }), (blocks) => {
        const encoder = newEncoder();
        const reference = new ReferenceDecoder();
        for (const each of [...blocks, ...blocks]) {
          const arrived = reference.decode(encode(encoder, each));
          expect(arrived).toEqual(each.fields.map((f) => [f.name, f.value, f.indexing === Indexing.NEVER]));
        }
      }),
      { numRuns: 100 },
    );
  });
});
