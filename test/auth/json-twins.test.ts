import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasTwins } from '../../src/auth/jwt/json-twins.ts';

/** JSON as text, with what a parser would lose: objects are lists of members. */
interface Text {
  readonly text: string;
  readonly twins: boolean;
}

const blank = fc.constantFrom('', ' ', '\n\t');
const name = fc.constantFrom('a', 'b', 'exp', '{', '"', '\\', ',', ':', '');
const spelt = (value: string, escaped: boolean) =>
  escaped
    ? `"${[...value].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`
    : JSON.stringify(value);

const { json } = fc.letrec<{ json: Text; object: Text; array: Text; leaf: Text }>((tie) => ({
  leaf: fc.json({ maxDepth: 0 }).map((text) => ({ text, twins: false })),
  array: fc.array(tie('json'), { maxLength: 3 }).map((items) => ({
    text: `[${items.map(({ text }) => text).join(',')}]`,
    twins: items.some(({ twins }) => twins),
  })),
  object: fc
    .array(fc.record({ name, escaped: fc.boolean(), value: tie('json'), gap: blank }), { maxLength: 3 })
    .map((members) => ({
      text: `{${members.map(({ name: key, escaped, value, gap }) => `${gap}${spelt(key, escaped)}${gap}:${value.text}`).join(',')}}`,
      twins:
        new Set(members.map((member) => member.name)).size < members.length || members.some(({ value }) => value.twins),
    })),
  json: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('array'), tie('object')),
}));

describe('a member that is there twice', () => {
  it('is found at any depth, however it is spelt, and none is found where there is none', () => {
    fc.assert(
      fc.property(json, ({ text, twins }) => {
        JSON.parse(text);
        expect([text, hasTwins(text)]).toEqual([text, twins]);
      }),
      { numRuns: 500 },
    );
  });

  it('may be in two objects', () => {
    expect(hasTwins('{"a":{"a":1},"b":[{"a":1},{"a":1}]}')).toBe(false);
  });
});
