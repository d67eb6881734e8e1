import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArgument } from '../../src/tenants/errors.ts';
import { decodePageToken, encodePageToken, pageLimit } from '../../src/tenants/page-token.ts';

describe('page tokens', () => {
  it('come back as they went', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9.-]{1,100}$/), (id) => {
        expect(decodePageToken('tenant', encodePageToken('tenant', id))).toBe(id);
      }),
    );
    expect(decodePageToken('tenant', encodePageToken('tenant', undefined))).toBeUndefined();
  });

  it('are good for their own list only', () => {
    const token = encodePageToken('api_key/a', 'k');
    expect(() => decodePageToken('api_key', token)).toThrow(InvalidArgument);
    expect(() => decodePageToken('api_key/b', token)).toThrow(InvalidArgument);
  });

  it('that somebody made up are refused', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 600 }), (token) => {
        expect(() => decodePageToken('tenant', token)).toThrow(InvalidArgument);
      }),
    );
    expect(() => decodePageToken('tenant', `${encodePageToken('tenant', 'a')}!`)).toThrow(InvalidArgument);
  });

  it('stand beside sizes of 1 to 1000, 100 when none is given', () => {
    expect([0, 1, 100, 1000, 5000].map(pageLimit)).toEqual([100, 1, 100, 1000, 1000]);
    for (const wrong of [-1, 0.5, Number.NaN]) expect(() => pageLimit(wrong)).toThrow(InvalidArgument);
  });
});
