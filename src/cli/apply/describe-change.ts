import { isDeepStrictEqual } from 'node:util';
import type { JsonValue } from '@bufbuild/protobuf';
import { escapeControls } from '../table.ts';
import type { Change, Resource } from './changes.ts';

const SIGNS = { create: '+', update: '~', delete: '-' } as const;

/** `tenant acme`, `key laptop of tenant acme` */
export function nameOf(resource: Resource): string {
  if (resource.kind !== 'key') return escapeControls(`${resource.kind} ${resource.value.id}`);
  const { id, name, tenantId } = resource.value;
  return escapeControls(`key ${name}${id === '' ? '' : ` (${id})`} of tenant ${tenantId}`);
}

/** `~ tenant acme` */
export function headOf(change: Change): string {
  const more = change.op === 'delete' && change.kind === 'tenant' ? ' and its keys' : '';
  return `${SIGNS[change.op]} ${nameOf(change)}${more}`;
}

/** A change in lines that begin with `+`, `-` or `~`, or with blanks and one of them. */
export function describeChange(change: Change): string[] {
  const lines = [headOf(change)];
  if (change.op === 'delete') return lines;
  const before = change.op === 'update' ? change.before : {};
  const names = change.op === 'update' ? change.mask : Object.keys(change.after);
  const width = Math.max(0, ...names.map((name) => name.length));
  for (const name of names) {
    const [first = '', ...rest] = describeValues(before[name], change.after[name]);
    lines.push(`    ${name.padEnd(width)}  ${first}`, ...rest.map((line) => `    ${' '.repeat(width)}  ${line}`));
  }
  return lines.map(escapeControls);
}

/** Of lists the items that come and go; of other values what was and what will be. */
function describeValues(before: JsonValue | undefined, after: JsonValue | undefined): string[] {
  if (!Array.isArray(before ?? after) || !Array.isArray(after ?? before)) {
    if (before === undefined) return [inline(after)];
    return [`${inline(before)} -> ${after === undefined ? 'none' : inline(after)}`];
  }
  const [was, will] = [toList(before), toList(after)];
  const without = (list: readonly JsonValue[], others: readonly JsonValue[]) =>
    list.filter((item) => !others.some((other) => isDeepStrictEqual(item, other)));
  const lines = [
    ...without(was, will).map((item) => `- ${inline(item)}`),
    ...without(will, was).map((item) => `+ ${inline(item)}`),
  ];
  return lines.length > 0 ? lines : [`${inline(was)} -> ${inline(will)}`];
}

const toList = (value: JsonValue | undefined): JsonValue[] => (Array.isArray(value) ? value : []);

/** On one line, as YAML writes it in flow style. */
function inline(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${key}: ${inline(item)}`)
      .join(', ')}}`;
  }
  return typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value ?? null);
}

const COLOURS: Readonly<Record<string, string>> = { '+': '\u001b[32m', '-': '\u001b[31m', '~': '\u001b[33m' };

/** Green for what comes, red for what goes, yellow for what changes. */
export function colour(line: string): string {
  const code = COLOURS[/^\s*(?:\w+\s+)?([+~-]) /.exec(line)?.[1] ?? ''];
  return code === undefined ? line : `${code}${line}\u001b[0m`;
}

/** `2 to create, 1 to change` */
export function countChanges(changes: readonly Change[]): string {
  const count = (op: Change['op']) => changes.filter((change) => change.op === op).length;
  const parts = [
    [count('create'), 'to create'],
    [count('update'), 'to change'],
    [count('delete'), 'to delete'],
  ] as const;
  return parts
    .filter(([number]) => number > 0)
    .map(([number, what]) => `${number} ${what}`)
    .join(', ');
}
