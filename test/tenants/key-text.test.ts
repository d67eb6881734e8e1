import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashKey, isPlausibleKey, mintKey, parseKey } from '../../src/tenants/key-text.ts';

describe('key texts', () => {
  it('are minted so that they parse, whatever the random bytes', () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
    fc.assert(
      fc.property(name, fc.integer({ min: 0, max: 255 }), (given, byte) => {
        const { text, id } = mintKey(given, (bytes) => new Uint8Array(bytes).fill(byte));
        expect(parseKey(text)).toEqual({ name: given, id, secret: text.slice(-40) });
        expect(id).toHaveLength(16);
        expect(isPlausibleKey(text)).toBe(true);
      }),
    );
  });

  it('carry 200 random bits of secret', () => {
    const asked: number[] = [];
    const { text } = mintKey('laptop', (bytes) => {
      asked.push(bytes);
      return randomBytes(bytes);
    });
    expect(asked).toEqual([10, 25]);
    expect(text).toMatch(/^tg_laptop_[0-9a-hj-km-np-tv-z]{16}_[0-9a-hj-km-np-tv-z]{40}$/);
    expect(mintKey('laptop', randomBytes).text).not.toBe(text);
  });

  it('encode every bit of their bytes', () => {
    const texts = new Set<string>();
    for (let bit = 0; bit < 200; bit++) {
      const { text } = mintKey('n', (bytes) => {
        const out = new Uint8Array(bytes);
        if (bytes === 25) out[bit >> 3] = 1 << (bit & 7);
        return out;
      });
      texts.add(text);
    }
    expect(texts.size).toBe(200);
  });

  it('are refused when they are of another form', () => {
    const id = '0123456789abcdef';
    const secret = 'a'.repeat(40);
    expect(parseKey(`tg_a-b_${id}_${secret}`)?.name).toBe('a-b');
    const wrong = [
      '',
      'tg_',
      `tg__${id}_${secret}`,
      `tg_A_${id}_${secret}`,
      `tg_-a_${id}_${secret}`,
      `tg_a_b_${id}_${secret}`,
    ];
    wrong.push(`tg_a_${id.slice(1)}_${secret}`, `tg_a_${id}_short`, `tg_a_${id}_${secret}\n`, ` tg_a_${id}_${secret}`);
    wrong.push(`tg_a_${id}_${'a'.repeat(65)}`, `tg_${'a'.repeat(64)}_${id}_${secret}`, `tk_a_${id}_${secret}`);
    for (const text of wrong) expect(parseKey(text), text).toBeUndefined();
    expect(parseKey(`tg_a_${id}_${'a'.repeat(10_000_000)}`)).toBeUndefined();
  });

  it('of somebody else’s making are plausible with room for 128 bits, in visible ASCII', () => {
    expect(isPlausibleKey('x'.repeat(21))).toBe(false);
    expect(isPlausibleKey('x'.repeat(22))).toBe(true);
    expect(isPlausibleKey('x'.repeat(256))).toBe(true);
    expect(isPlausibleKey('x'.repeat(257))).toBe(false);
    for (const strange of [' ', '\n', '\0', '\x7f', 'é', '😀']) {
      expect(isPlausibleKey('x'.repeat(30) + strange), JSON.stringify(strange)).toBe(false);
    }
  });

  it('are stored as the lower-case hex of their SHA-256', () => {
    expect(hashKey('tg_x')).toBe(createHash('sha256').update('tg_x').digest('hex'));
  });
});
