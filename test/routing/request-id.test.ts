import { randomFillSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { isRequestId, RequestId, RequestIds } from '../../src/routing/request-id.ts';

test('request ids are UUIDs of version 7: well-formed, distinct, carrying their millisecond, in the order of time', () => {
  let now = 1_700_000_000_000;
  const ids = new RequestIds({ now: () => now, fillRandom: (buffer) => randomFillSync(buffer) });
  const seen = new Set<string>();
  let before = '';
  for (let i = 0; i < 2000; i++) {
    now += i % 2;
    const made = ids.next();
    const id = made.text;
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(now);
    expect(id.slice(0, 13) >= before).toBe(true);
    expect(RequestId.parse(id)).toEqual(made);
    before = id.slice(0, 13);
    seen.add(id);
  }
  expect(seen.size).toBe(2000);
});

test("a client's id is written as it is", () => {
  const id = RequestId.parse('order_7.retry~2');
  const target = Buffer.alloc(20, '.');
  id.writeValue(target, 2);
  expect(id.text).toBe('order_7.retry~2');
  expect(target.toString()).toBe('..order_7.retry~2...');
});

test.each([
  ['0190b6b5-1c5e-7e3a-9f0a-0123456789ab', true],
  ['order_7.retry~2', true],
  ['short', false],
  ['x'.repeat(129), false],
  ['has space in it', false],
  ['new\nline-attack', false],
  ['', false],
])('a client id %j is kept: %s', (text, kept) => {
  expect(isRequestId(text)).toBe(kept);
});
