import type { Part, PartVisitor } from '../../src/metrics/counters.ts';

/** Visits what a part has, of all parts. */
export function eachOf(
  wanted: Part,
  visitAll: (visit: PartVisitor) => void,
  visit: (bucket: number, count: number) => void,
): void {
  visitAll((part, bucket, count) => {
    if (part === wanted) visit(bucket, count);
  });
}
