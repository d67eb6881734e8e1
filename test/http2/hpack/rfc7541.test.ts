import { describe, expect, it } from 'vitest';
import { Indexing } from '../../../src/http2/field.ts';
import { Cursor } from '../../../src/http2/hpack/cursor.ts';
import type { Decoder } from '../../../src/http2/hpack/decoder.ts';
import { writeInteger } from '../../../src/http2/hpack/integer.ts';
import { decode, newDecoder, octets, pairs } from './support.ts';

/** RFC 7541 appendix C: what was sent, what it means, and the table behind it. */
interface Example {
  readonly hex: string;
  readonly fields: [string, string][];
  readonly table: [string, string][];
  readonly size: number;
}

function expectExample(decoder: Decoder, example: Example): void {
  expect(pairs(decode(decoder, octets(example.hex)).fields)).toEqual(example.fields);
  expect(pairs(decoder.tableFields)).toEqual(example.table);
  expect(decoder.tableSize).toBe(example.size);
}

describe('the integers of RFC 7541 appendix C.1', () => {
  it.each([
    ['C.1.1', 10, 0x1f, '0a'],
    ['C.1.2', 1337, 0x1f, '1f 9a 0a'],
    ['C.1.3', 42, 0xff, '2a'],
  ])('%s: %d is written and read', (_, value, mask, hex) => {
    const target = Buffer.alloc(6);
    expect(target.subarray(0, writeInteger(value, mask, 0, target, 0))).toEqual(octets(hex));
    const cursor = new Cursor();
    cursor.open(octets(hex), 0, octets(hex).length);
    expect(cursor.integer(cursor.octet(), mask)).toBe(value);
  });
});

describe('the representations of RFC 7541 appendix C.2', () => {
  it('C.2.1: a literal with indexing enters the table', () => {
    expectExample(newDecoder(), {
      hex: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      fields: [['custom-key', 'custom-header']],
      table: [['custom-key', 'custom-header']],
      size: 55,
    });
  });

  it('C.2.2: a literal without indexing does not', () => {
    expectExample(newDecoder(), {
      hex: '040c 2f73 616d 706c 652f 7061 7468',
      fields: [[':path', '/sample/path']],
      table: [],
      size: 0,
    });
  });

  it('C.2.3: a literal never indexed does not, and stays so', () => {
    const decoder = newDecoder();
    const { fields } = decode(decoder, octets('1008 7061 7373 776f 7264 0673 6563 7265 74'));
    expect(pairs(fields)).toEqual([['password', 'secret']]);
    expect(fields[0]?.indexing).toBe(Indexing.NEVER);
    expect(decoder.tableSize).toBe(0);
  });

  it('C.2.4: an indexed field comes from the static table', () => {
    expectExample(newDecoder(), { hex: '82', fields: [[':method', 'GET']], table: [], size: 0 });
  });
});

const authority: [string, string] = [':authority', 'www.example.com'];
const custom: [string, string] = ['custom-key', 'custom-value'];
const noCache: [string, string] = ['cache-control', 'no-cache'];

function requests(first: string, second: string, third: string): Example[] {
  return [
    {
      hex: first,
      fields: [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], authority],
      table: [authority],
      size: 57,
    },
    {
      hex: second,
      fields: [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], authority, noCache],
      table: [noCache, authority],
      size: 110,
    },
    {
      hex: third,
      fields: [[':method', 'GET'], [':scheme', 'https'], [':path', '/index.html'], authority, custom],
      table: [custom, noCache, authority],
      size: 164,
    },
  ];
}

const date1: [string, string] = ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'];
const date2: [string, string] = ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'];
const location: [string, string] = ['location', 'https://www.example.com'];
const privately: [string, string] = ['cache-control', 'private'];
const gzip: [string, string] = ['content-encoding', 'gzip'];
const cookie: [string, string] = ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'];

function responses(first: string, second: string, third: string): Example[] {
  return [
    {
      hex: first,
      fields: [[':status', '302'], privately, date1, location],
      table: [location, date1, privately, [':status', '302']],
      size: 222,
    },
    {
      hex: second,
      fields: [[':status', '307'], privately, date1, location],
      table: [[':status', '307'], location, date1, privately],
      size: 222,
    },
    {
      hex: third,
      fields: [[':status', '200'], privately, date2, location, gzip, cookie],
      table: [cookie, gzip, date2],
      size: 215,
    },
  ];
}

describe('the sequences of RFC 7541 appendices C.3 to C.6', () => {
  it.each([
    [
      'C.3: requests without Huffman coding',
      4096,
      requests(
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ),
    ],
    [
      'C.4: requests with Huffman coding',
      4096,
      requests(
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ),
    ],
    [
      'C.5: responses without Huffman coding, with eviction',
      256,
      responses(
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120
         474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738
         666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33
         3630 303b 2076 6572 7369 6f6e 3d31`,
      ),
    ],
    [
      'C.6: responses with Huffman coding, with eviction',
      256,
      responses(
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718
         63c7 8f0b 97c8 e9ae 82ae 43d3`,
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7
         b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ),
    ],
  ])('%s', (_, tableSize, examples) => {
    const decoder = newDecoder();
    // The appendix takes the size for granted; on the wire an update says it.
    const update = Buffer.alloc(6);
    decode(decoder, update.subarray(0, writeInteger(tableSize, 0x1f, 0x20, update, 0)));
    for (const example of examples) expectExample(decoder, example);
  });
});
