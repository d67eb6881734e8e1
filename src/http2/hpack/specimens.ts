import { Field, Indexing, NameTable } from '../field.ts';
import { HeaderBlock } from '../header-block.ts';
import { Decoder } from './decoder.ts';
import { INITIAL_TABLE_SIZE } from './dynamic-table.ts';
import { Encoder } from './encoder.ts';

/** Often enough for all that coders remember to be made. */
const TIMES = 4;

/**
 * An encoder and a decoder that have worked, and always live (see `Specimen`): connections give theirs up when they are idle. Of
 * blocks of their own, since what a peer sent is not to outlive its connection.
 */
function makeSpecimens(): readonly [Encoder, Decoder] {
  const encoder = new Encoder({ maxTableSize: INITIAL_TABLE_SIZE, blockSlots: 4 });
  const limits = { maxTableSize: INITIAL_TABLE_SIZE, maxListSize: INITIAL_TABLE_SIZE, maxFields: 16 };
  const decoder = new Decoder({ ...limits, names: new NameTable() });
  for (let time = 0; time < TIMES; time++) {
    const block = new HeaderBlock([new Field(':status', '200'), new Field('x-specimen', String(time % 2))]);
    const extra = [new Field('x-specimen', 'literal', 0, Indexing.SKIP)];
    const octets = Buffer.alloc(encoder.bound(block, extra));
    for (let again = 0; again < TIMES; again++) decoder.decode(octets, 0, encoder.encode(block, extra, octets, 0));
  }
  return [encoder, decoder];
}

export const SPECIMENS = makeSpecimens();
