import type { DescMessage, Message, Registry } from '@bufbuild/protobuf';
import { createValidator, type Violation } from '@bufbuild/protovalidate';
import { findPatternWords } from '../contracts/pattern-words.ts';
import type { ConfigSource, Path } from './source.ts';

/** Holds a message against the rules of its schema (`buf.validate`), and complains about each that is broken. */
export function checkRules(source: ConfigSource, registry: Registry, desc: DescMessage, message: Message): void {
  const result = createValidator({ registry }).validate(desc, message);
  if (result.kind === 'error') throw result.error;
  for (const violation of result.violations ?? []) {
    const path = pathOf(violation);
    const [text, hint] = explain(source, violation, path);
    source.complain(path, text, hint);
  }
}

function pathOf(violation: Violation): Path {
  return violation.field.flatMap((part): (string | number)[] => {
    switch (part.kind) {
      case 'list_sub':
        return [part.index];
      case 'map_sub':
        return [String(part.key)];
      case 'field':
        return [part.name];
      default:
        return [];
    }
  });
}

function explain(source: ConfigSource, violation: Violation, path: Path): [message: string, hint: string | undefined] {
  const name = path.at(-1);
  const words = findPatternWords(violation.message);
  if (!source.has(path)) return [`"${name}" is missing`, words];
  if (words !== undefined) return [`the value of "${name}" does not fit`, words];
  if (violation.ruleId === 'string.min_len' || violation.ruleId === 'repeated.min_items')
    return [`"${name}" is empty`, undefined];
  const label = typeof name === 'string' ? `"${name}" ` : '';
  return [`${label}${violation.message}`, undefined];
}
