import { describe, expect, it } from 'vitest';
import { Census, sourceOf } from '../../src/http2/census.ts';

describe('a census of connections', () => {
  it('counts all, and those of one source', () => {
    const census = new Census(3, 2);
    expect(census.enter('10.0.0.1')).toBeUndefined();
    expect(census.enter('::ffff:10.0.0.1')).toBeUndefined();
    expect(census.enter('10.0.0.1')).toBe('connections_of_source');
    expect(census.enter('10.0.0.2')).toBeUndefined();
    expect(census.enter('10.0.0.3')).toBe('connections');
    census.leave('10.0.0.1');
    expect(census.enter('10.0.0.1')).toBeUndefined();
  });

  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('takes %s for %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });
});
