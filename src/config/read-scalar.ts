import { type DescEnum, ScalarType } from '@bufbuild/protobuf';
import { nearest } from '../contracts/nearest.ts';
import { MAX_DURATION_MS } from '../contracts/policy.ts';

/** What reading a value gives: JSON for the protobuf JSON mapping, or what is wrong with it. */
export type Reading =
  | { readonly json: string | number | boolean }
  | { readonly fault: string; readonly hint?: string | undefined };

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));

/** Smallest and largest value of the integer types; 64 bits only as far as a number is exact. */
const INTEGERS: ReadonlyMap<ScalarType, readonly [number, number]> = new Map([
  [ScalarType.INT32, [-2_147_483_648, 2_147_483_647]],
  [ScalarType.UINT32, [0, 4_294_967_295]],
  [ScalarType.INT64, [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]],
  [ScalarType.UINT64, [0, Number.MAX_SAFE_INTEGER]],
]);

/** Reads a scalar. No coercion: `yes`, `1` for true, or digits for a name are mistakes more often than not. */
export function readScalar(value: unknown, type: ScalarType): Reading {
  if (type === ScalarType.STRING) {
    if (typeof value === 'string') return { json: value };
    return { fault: `text is expected, not ${shown(value)}`, hint: `put it in quotes: "${String(value)}"` };
  }
  if (type === ScalarType.BOOL) {
    if (typeof value === 'boolean') return { json: value };
    return { fault: `true or false is expected, not ${shown(value)}` };
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return { fault: `a number is expected, not ${shown(value)}` };
  }
  const range = INTEGERS.get(type);
  if (range === undefined) return { json: value };
  const [smallest, largest] = range;
  if (Number.isInteger(value) && value >= smallest && value <= largest) return { json: value };
  return { fault: `a whole number from ${smallest} to ${largest} is expected, not ${value}` };
}

/** Reads an enum by its value's name, in full (`PERIOD_DAY`) or without what all of them share (`day`). */
export function readEnum(value: unknown, desc: DescEnum): Reading {
  const prefix = desc.sharedPrefix?.length ?? 0;
  const choices = new Map(
    desc.values.filter(({ number }) => number !== 0).map(({ name }) => [name.slice(prefix).toLowerCase(), name]),
  );
  if (typeof value === 'string') {
    const name = choices.get(value.toLowerCase()) ?? desc.values.find((candidate) => candidate.name === value)?.name;
    if (name !== undefined) return { json: name };
  }
  const near = typeof value === 'string' ? nearest(value, choices.keys()) : undefined;
  const list = [...choices.keys()].join(', ');
  const hint = near === undefined ? undefined : `did you mean "${near}"?`;
  return { fault: `one of ${list} is expected, not ${shown(value)}`, hint };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads a duration as people write it (`500ms`, `5s`, `1m30s`, `1.5h`). Above zero, and no longer than a timer takes. */
export function readDuration(value: unknown): Reading {
  const hint = 'for example 500ms, 5s, 2m, 1m30s';
  if (typeof value === 'number')
    return { fault: `a duration needs a unit, ${value} has none`, hint: `for example ${value}s` };
  if (typeof value !== 'string' || !/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(value)) {
    return { fault: `a duration is expected, not ${shown(value)}`, hint };
  }
  let ms = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    ms += Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  }
  if (!(ms > 0)) return { fault: 'a duration must be longer than 0', hint };
  if (ms > MAX_DURATION_MS) return { fault: 'a duration must be at most 24 days', hint };
  return { json: `${(Math.ceil(ms) / 1000).toFixed(3)}s` };
}

/** Reads a point in time (RFC 3339: `2030-01-31T12:00:00Z`, or with an offset). */
export function readTime(value: unknown): Reading {
  const hint = 'for example 2030-01-31T12:00:00Z';
  const isTime =
    typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(value);
  if (!isTime || Number.isNaN(Date.parse(value))) return { fault: `a time is expected, not ${shown(value)}`, hint };
  return { json: value };
}
