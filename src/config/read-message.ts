import { type DescField, type DescMessage, type JsonObject, type JsonValue, ScalarType } from '@bufbuild/protobuf';
import { isMap, isNode, isScalar, isSeq, type Pair } from 'yaml';
import { nearest } from '../contracts/nearest.ts';
import { type Reading, readDuration, readEnum, readScalar, readTime } from './read-scalar.ts';
import { type ConfigSource, offsetOf, type Path } from './source.ts';

/** One kind of value: a field that is not a list or map, or what such a field has many of. */
type ValueType = Exclude<DescField, { fieldKind: 'list' } | { fieldKind: 'map' }>;
type ListField = Extract<DescField, { fieldKind: 'list' }>;
type MapField = Extract<DescField, { fieldKind: 'map' }>;

const DURATION = 'google.protobuf.Duration';
const WRITTEN_AS_TEXT: ReadonlySet<string> = new Set([DURATION, 'google.protobuf.Timestamp']);

/** Deeper than the schema can be; recursion in it would end here. */
const MAX_DEPTH = 32;

/**
 * Reads a YAML mapping into the JSON mapping of a message, led by the message's descriptor. Every fault becomes a
 * complaint at its place, and reading goes on: lists keep their length, so that paths stay right.
 */
export function readMessage(source: ConfigSource, given: unknown, desc: DescMessage, path: Path): JsonObject {
  const node = source.follow(given);
  if (!isMap(node) || path.length > MAX_DEPTH) {
    source.complain(path, `a mapping (key: value) is expected with ${keysOf(desc)}`);
    return {};
  }
  const json: JsonObject = {};
  const oneofs = new Map<string, string>();
  for (const pair of node.items) {
    const field = findField(source, pair, desc, path);
    if (field === undefined || isNull(source.follow(pair.value))) continue;
    const at = [...path, field.name];
    source.place(at, isNode(pair.value) ? pair.value : pair);
    const other = field.oneof && oneofs.get(field.oneof.name);
    if (other !== undefined)
      source.complain(at, `"${field.name}" and "${other}" exclude each other`, 'keep one of them');
    else if (field.oneof) oneofs.set(field.oneof.name, field.name);
    const value = other === undefined ? readField(source, pair.value, field, at) : undefined;
    if (value !== undefined) json[field.jsonName] = value;
  }
  return json;
}

const isNull = (node: unknown): boolean =>
  node === null || node === undefined || (isScalar(node) && node.value === null);

const keysOf = (desc: DescMessage): string => desc.fields.map((field) => field.name).join(', ');

/** The field that a key names, as in the proto (`open_for`) or as in JSON (`openFor`). */
function findField(source: ConfigSource, pair: Pair, desc: DescMessage, path: Path): DescField | undefined {
  const key = isScalar(pair.key) ? String(pair.key.value) : '';
  const field = desc.fields.find((candidate) => candidate.name === key || candidate.jsonName === key);
  if (field !== undefined) return field;
  const near = nearest(
    key,
    desc.fields.map((candidate) => candidate.name),
  );
  // What was probably meant is not reported as missing too.
  if (near !== undefined) source.markFaulty([...path, near]);
  const where = path.length === 0 ? '' : ` in ${sectionOf(path)}`;
  const meant = near === undefined ? '' : `did you mean "${near}"? `;
  source.complainAtOffset(offsetOf(pair) ?? 0, `unknown key "${key}"${where}`, `${meant}Allowed are ${keysOf(desc)}`);
  return undefined;
}

/** `backends[1].breaker` */
function sectionOf(path: Path): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${part}`))
    .join('');
}

function readField(source: ConfigSource, node: unknown, field: DescField, path: Path): JsonValue | undefined {
  if (field.fieldKind === 'list') return readList(source, node, field, path);
  if (field.fieldKind === 'map') return readMap(source, node, field, path);
  return readValue(source, node, field, path);
}

function readList(source: ConfigSource, given: unknown, field: ListField, path: Path): JsonValue[] | undefined {
  const node = source.follow(given);
  if (!isSeq(node)) {
    source.complain(path, `"${field.name}" is a list`, 'write [a, b], or one item a line after "- "');
    return undefined;
  }
  return node.items.map((item, index) => {
    const at = [...path, index];
    source.place(at, isNode(item) ? item : undefined);
    if (isNull(source.follow(item))) source.complain(at, `an item of "${field.name}" is empty`);
    return readValue(source, item, field, at) ?? placeholder(field);
  });
}

/** Stands for an item that could not be read. */
function placeholder(field: ListField): JsonValue {
  if (field.listKind === 'message') return {};
  if (field.listKind === 'enum') return field.enum.values[0]?.name ?? 0;
  return field.scalar === ScalarType.STRING ? '' : 0;
}

function readMap(source: ConfigSource, given: unknown, field: MapField, path: Path): JsonObject | undefined {
  const node = source.follow(given);
  if (!isMap(node)) {
    source.complain(path, `"${field.name}" is a mapping (key: value)`);
    return undefined;
  }
  const json: JsonObject = {};
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    const at = [...path, key];
    source.place(at, pair);
    const value = readValue(source, pair.value, field, at);
    if (value !== undefined) json[key] = value;
  }
  return json;
}

function readValue(
  source: ConfigSource,
  given: unknown,
  type: ValueType | ListField | MapField,
  path: Path,
): JsonValue | undefined {
  const node = source.follow(given);
  if (type.message !== undefined && !WRITTEN_AS_TEXT.has(type.message.typeName)) {
    return readMessage(source, node, type.message, path);
  }
  if (type.message?.typeName === DURATION && isMap(node)) return readSeconds(source, node, type.message, path);
  if (!isScalar(node)) {
    source.complain(path, 'one value is expected here, not a list or mapping');
    return undefined;
  }
  const reading = readPlain(node.value, type);
  if ('json' in reading) return reading.json;
  source.complain(path, reading.fault, reading.hint);
  return undefined;
}

/** A duration as programs write it: `{ seconds: 5, nanos: 0 }`. */
function readSeconds(source: ConfigSource, node: unknown, desc: DescMessage, path: Path): JsonValue | undefined {
  const { seconds, nanos } = readMessage(source, node, desc, path);
  const reading = readDuration(`${Number(seconds ?? 0) * 1000 + Math.ceil(Number(nanos ?? 0) / 1e6)}ms`);
  if ('json' in reading) return reading.json;
  source.complain(path, reading.fault, reading.hint);
  return undefined;
}

function readPlain(value: unknown, type: ValueType | ListField | MapField): Reading {
  if (type.message !== undefined) return type.message.typeName === DURATION ? readDuration(value) : readTime(value);
  if (type.enum !== undefined) return readEnum(value, type.enum);
  if (type.scalar !== undefined) return readScalar(value, type.scalar);
  return { fault: 'the value cannot be read' };
}
