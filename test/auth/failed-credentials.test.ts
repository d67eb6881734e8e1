import { describe, expect, it } from 'vitest';
import { FailedCredentials } from '../../src/auth/failed-credentials.ts';

const SOURCE = '192.0.2.1';

class Fixture {
  ms = 0;
  readonly failures: FailedCredentials;
  constructor(burst = 5, rate = 1, exempt: string[] = []) {
    this.failures = new FailedCredentials({ burst, rate, exempt, now: () => this.ms });
  }
  /** Tries as long as it may, at most so often. @returns how often it could */
  guess(remoteAddress: string, connection?: object, most = 100): number {
    for (let i = 0; i < most; i++) {
      if (!this.failures.mayTry({ remoteAddress, connection })) return i;
      this.failures.failed({ remoteAddress, connection }, 1);
    }
    return most;
  }
}

describe('who has tried too many wrong credentials', () => {
  it('is checked no more, but for so many a second', () => {
    const fixture = new Fixture();
    expect(fixture.guess(SOURCE)).toBe(5);
    fixture.ms += 999;
    expect(fixture.guess(SOURCE)).toBe(0);
    fixture.ms += 1;
    expect(fixture.guess(SOURCE)).toBe(1);
    fixture.ms += 3000;
    expect(fixture.guess(SOURCE)).toBe(3);
    fixture.ms += 3_600_000;
    expect(fixture.guess(SOURCE)).toBe(5);
    expect(fixture.failures.stats).toMatchObject({ failures: 14, sources: 1 });
  });

  it('is an IPv4 address, or a /64 of IPv6', () => {
    const fixture = new Fixture();
    expect(fixture.guess('2001:db8::1')).toBe(5);
    expect(fixture.guess('2001:db8::2')).toBe(0);
    expect(fixture.guess('2001:db8:0:1::1')).toBe(5);
    expect(fixture.guess(SOURCE)).toBe(5);
    expect(fixture.guess(`::ffff:${SOURCE}`)).toBe(0);
    expect(fixture.guess('192.0.2.2')).toBe(5);
  });

  it('does not keep others at the same address from coming with a new credential', () => {
    const fixture = new Fixture();
    const attacker = {};
    expect(fixture.guess(SOURCE, attacker)).toBe(5 + 3);
    expect(fixture.guess(SOURCE, attacker)).toBe(0);
    const neighbour = { remoteAddress: SOURCE, connection: {} };
    for (let i = 0; i < 10; i++) expect(fixture.failures.mayTry(neighbour)).toBe(true);
    expect(fixture.guess(SOURCE, neighbour.connection)).toBe(3);
    expect(fixture.failures.mayTry(neighbour)).toBe(false);
  });

  it('counts less where a token is merely old', () => {
    const fixture = new Fixture();
    const attempt = { remoteAddress: SOURCE };
    let tried = 0;
    while (fixture.failures.mayTry(attempt)) {
      fixture.failures.failed(attempt, 0.1);
      tried++;
    }
    expect(tried).toBeGreaterThanOrEqual(40);
    expect(tried).toBeLessThanOrEqual(41);
  });

  it('is never a proxy that the operator has named', () => {
    const fixture = new Fixture(5, 1, ['10.0.0.0/8', '2001:db8::7']);
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::7']) expect(fixture.guess(address)).toBe(100);
    expect(fixture.guess('11.0.0.1')).toBe(5);
    expect(fixture.failures.stats.sources).toBe(1);
  });

  it('owes no more than two bursts, however long it went on', () => {
    const fixture = new Fixture();
    for (let i = 0; i < 10_000; i++) fixture.failures.failed({ remoteAddress: SOURCE }, 1);
    fixture.ms += 6000;
    expect(fixture.guess(SOURCE)).toBe(1);
  });

  it('is one of so many sources: a flood from everywhere takes no more memory', () => {
    const fixture = new Fixture();
    for (let i = 0; i < 40_000; i++)
      fixture.failures.failed({ remoteAddress: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }, 1);
    expect(fixture.failures.stats).toMatchObject({ failures: 40_000, sources: 16_384 });
  });
});
