/**
 * Nanoseconds of CPU per header block, decoding and encoding: `node bench/micro/hpack.ts`. Each line is the best of several
 * rounds, because the machine's other work only ever adds.
 */
import { Field, Indexing, NameTable } from '../../src/http2/field.ts';
import { HeaderBlock } from '../../src/http2/header-block.ts';
import { Decoder } from '../../src/http2/hpack/decoder.ts';
import { DynamicTable, INITIAL_TABLE_SIZE } from '../../src/http2/hpack/dynamic-table.ts';
import { Encoder } from '../../src/http2/hpack/encoder.ts';
import { measureHuffman, writeHuffman } from '../../src/http2/hpack/huffman.ts';
import { writeInteger } from '../../src/http2/hpack/integer.ts';
import { findStaticEntry } from '../../src/http2/hpack/static-table.ts';

const ROUNDS = 7;
const BLOCKS = 100_000;
const names = new NameTable([
  [':path', 1],
  ['grpc-timeout', 2, Indexing.SKIP],
  ['x-request-id', 3, Indexing.SKIP],
  ['x-tenant-id', 4, Indexing.SKIP],
]);

/** Fields of one name and value are one object, as a decoder with a table gives them. */
const interned = new Map<string, Field>();
function intern(name: string, value: string): Field {
  const key = `${name}=${value}`;
  const field = interned.get(key) ?? names.field(name, value);
  interned.set(key, field);
  return field;
}

function request(path: string, token: string, field = intern): Field[] {
  return [
    field(':method', 'POST'),
    field(':scheme', 'http'),
    field(':path', path),
    field(':authority', 'bookstore.example.com:7400'),
    field('content-type', 'application/grpc'),
    field('user-agent', 'grpc-go/1.71.0'),
    field('te', 'trailers'),
    field('authorization', `Bearer ${token}`),
    field('grpc-accept-encoding', 'gzip,deflate'),
    field('x-client-version', '2.14.3'),
    field('x-region', 'eu-central-1'),
    field('accept-encoding', 'identity'),
  ];
}

const newDecoder = (): Decoder => new Decoder({ maxTableSize: 4096, maxListSize: 65_536, maxFields: 128, names });
const newEncoder = (): Encoder => new Encoder({ maxTableSize: 4096 });

/** A peer that indexes every field, evicting as it goes, as grpc-go and node do. */
function encodeAll(blocks: readonly HeaderBlock[]): Buffer[] {
  const table = new DynamicTable<Field>(INITIAL_TABLE_SIZE);
  const numbers = new Map<string, number>();
  return blocks.map((block) => {
    const target = Buffer.alloc(block.size);
    let at = 0;
    for (const field of block.fields) {
      const key = `${field.name}=${field.value}`;
      const number = numbers.get(key) ?? 0;
      const index = findStaticEntry(field.name, field.value);
      if (index !== 0) at = writeInteger(index, 0x7f, 0x80, target, at);
      else if (number > table.evicted) at = writeInteger(62 + table.inserted - number, 0x7f, 0x80, target, at);
      else {
        if (field.indexing === Indexing.INDEX) {
          table.insert(field);
          numbers.set(key, table.inserted);
        }
        at = writeInteger(0, 0x3f, field.indexing === Indexing.INDEX ? 0x40 : 0x00, target, at);
        for (const text of [field.name, field.value]) {
          at = writeHuffman(text, target, writeInteger(measureHuffman(text), 0x7f, 0x80, target, at));
        }
      }
    }
    return Buffer.from(target.subarray(0, at));
  });
}

function report(label: string, run: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, user + system);
  }
  console.log(`${label.padEnd(64)} ${((best * 1e3) / BLOCKS).toFixed(0).padStart(6)} ns`);
}

function reportDecoding(label: string, blocks: readonly HeaderBlock[]): void {
  const octets = encodeAll(Array.from({ length: BLOCKS }, (_, i) => blocks[i % blocks.length]!));
  report(`decode: ${label}`, () => {
    const decoder = newDecoder();
    for (let i = 0; i < octets.length; i++) decoder.decode(octets[i]!, 0, octets[i]!.length);
  });
}

function reportEncoding(label: string, blocks: readonly HeaderBlock[], extras?: readonly (readonly Field[])[]): void {
  const target = Buffer.alloc(8192);
  let octets = 0;
  report(`encode: ${label}`, () => {
    const encoder = newEncoder();
    octets = 0;
    for (let i = 0; i < BLOCKS; i++) {
      octets += encoder.encode(blocks[i % blocks.length]!, extras?.[i % extras.length], target, 0);
    }
  });
  console.log(`${''.padEnd(8)}${(octets / BLOCKS).toFixed(0)} octets a block`);
}

const path = '/tollgate.example.v1.BookstoreService/ListBooks';
const token = 'tg_demo_0123456789abcdef_0123456789abcdef0123456789abcdef';
const one = new HeaderBlock(request(path, token));
const literal = new HeaderBlock(request(path, token).map((f) => new Field(f.name, f.value, f.kind, Indexing.SKIP)));
const deadlines = Array.from(
  { length: 4000 },
  (_, i) => new HeaderBlock([...request(path, token), new Field('grpc-timeout', `${5_000_000 - i * 37}u`)]),
);
const tenants = Array.from(
  { length: 10_000 },
  (_, i) => new HeaderBlock(request(path, `tg_tenant${i}_0123456789abcdef_0123456789abcdef012345678`)),
);
const strangers = Array.from({ length: 1000 }, () => new HeaderBlock(request(path, token, names.field.bind(names))));
const methods = Array.from({ length: 20 }, (_, i) => new HeaderBlock(request(`${path}${i}`, token)));
const extras = Array.from({ length: 4000 }, (_, i) => [
  names.field('x-request-id', `0198c0de-7abc-7000-8000-${String(i).padStart(12, '0')}`),
  names.field('x-tenant-id', 'demo'),
  names.field('grpc-timeout', `${5_000_000 - i * 37}u`),
]);

reportDecoding('12 fields, repeated', [one]);
reportDecoding('12 fields, all literals, repeated', [literal]);
reportDecoding('20 methods in turn', methods);
reportDecoding('another deadline each time, indexed by the peer', deadlines);
reportDecoding('10,000 tenants in turn', tenants);
reportEncoding('12 fields, repeated', [one]);
reportEncoding('12 fields, repeated, and 3 extra', [one], extras);
reportEncoding('12 fields, all literals, repeated', [literal]);
reportEncoding('20 methods in turn', methods);
reportEncoding('1,000 connections: equal fields, other objects', strangers);
reportEncoding('10,000 tenants in turn', tenants);
reportEncoding('10,000 tenants in turn, and 3 extra', tenants, extras);
