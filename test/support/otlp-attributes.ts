import type { KeyValue } from 'otlp-protos/build/src/generated/root.js';

/** Attributes as a collector shows them. */
export function record(attributes: readonly KeyValue[]): Record<string, string | number | boolean> {
  const entries = attributes.map(({ key, value }) => {
    const integer = value?.intValue;
    const read = value?.stringValue ?? value?.boolValue ?? value?.doubleValue ?? Number(integer?.toString());
    return [key, read] as const;
  });
  return Object.fromEntries(entries);
}
