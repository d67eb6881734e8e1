import { describe, expect, test } from 'vitest';
import { Indexing, NameTable } from '../../src/http2/field.ts';

describe('a field of a shared name', () => {
  const names = new NameTable(
    [
      ['user-agent', 7],
      ['authorization', 8, Indexing.NEVER],
    ],
    ['user-agent'],
  );

  test('is one object for one value, and of others there are several', () => {
    const field = names.field('user-agent', 'a');
    expect(names.field('user-agent', 'a')).toBe(field);
    expect(names.field('user-agent', 'b')).not.toBe(field);
    expect(names.field('authorization', 'a')).not.toBe(names.field('authorization', 'a'));
    expect(names.field('other', 'a')).not.toBe(names.field('other', 'a'));
    expect([field.name, field.value, field.kind]).toEqual(['user-agent', 'a', 7]);
    expect(names.isShared(field)).toBe(true);
    expect(names.isShared(names.field('other', 'a'))).toBe(false);
  });

  test('that came as a secret, or is long, is nobody else’s', () => {
    const secret = names.field('user-agent', 'a', true);
    expect(secret.indexing).toBe(Indexing.NEVER);
    expect(names.field('user-agent', 'a').indexing).toBe(Indexing.INDEX);
    expect(names.isShared(secret)).toBe(false);
    const long = 'x'.repeat(129);
    expect(names.field('user-agent', long)).not.toBe(names.field('user-agent', long));
  });

  test('is forgotten when thousands of others have come', () => {
    const field = names.field('user-agent', 'rare');
    for (let i = 0; i < 2_000; i++) names.field('user-agent', `agent ${i}`);
    expect(names.isShared(field)).toBe(false);
    expect(names.field('user-agent', 'rare')).not.toBe(field);
  });
});
