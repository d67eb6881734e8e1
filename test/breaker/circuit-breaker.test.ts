import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BreakerState, CircuitBreaker, type Permit } from '../../src/breaker/circuit-breaker.ts';
import { type BreakerOptions, DEFAULT_BREAKER } from '../../src/breaker/options.ts';
import { Code } from '../../src/grpc/status.ts';

const OPTIONS = { failureRatio: 0.5, windowMs: 10_000, minCalls: 4, openForMs: 5000, probes: 1 };

class Fixture {
  time = 1000;
  readonly changes: BreakerState[] = [];
  readonly breaker: CircuitBreaker;

  constructor(options: Partial<BreakerOptions> = {}) {
    this.breaker = new CircuitBreaker({ ...OPTIONS, ...options }, () => this.time);
    this.breaker.onStateChange((state) => this.changes.push(state));
  }

  admit(): Permit {
    const permit = this.breaker.acquire();
    if (typeof permit === 'number') throw new Error(`refused for ${permit} ms`);
    return permit;
  }

  call(status: number, durationMs?: number): void {
    this.admit().settle(status, durationMs);
  }

  async open(): Promise<void> {
    for (let i = 0; i < this.breaker.options.minCalls; i++) this.call(Code.UNAVAILABLE);
    await turn();
    expect(this.breaker.state).toBe('open');
  }

  async halfOpen(): Promise<void> {
    await this.open();
    this.time += this.breaker.options.openForMs;
  }
}

describe('a closed breaker', () => {
  it('opens when the share of failures is reached, and not before there are enough calls', async () => {
    const f = new Fixture();
    for (let i = 0; i < 3; i++) f.call(Code.UNAVAILABLE);
    await turn();
    expect(f.breaker.state).toBe('closed');
    f.call(Code.OK);
    f.call(Code.INTERNAL);
    // Refuses from this moment, not only when cockatiel has followed.
    expect(f.breaker.acquire()).toBe(5000);
    await turn();
    expect(f.breaker.state).toBe('open');
    expect(f.changes).toEqual(['open']);
  });

  it('stays closed below the share', async () => {
    const f = new Fixture();
    for (let i = 0; i < 100; i++) f.call(i % 5 < 3 ? Code.OK : Code.UNKNOWN);
    await turn();
    expect(f.breaker.state).toBe('closed');
  });

  it('opens at a ratio of 1 only when every call fails', async () => {
    const f = new Fixture({ failureRatio: 1 });
    f.call(Code.OK);
    for (let i = 0; i < 20; i++) f.call(Code.UNAVAILABLE);
    await turn();
    expect(f.breaker.state).toBe('closed');
    f.time += 20_000;
    await f.open();
  });

  it('forgets what has left the window', async () => {
    const f = new Fixture();
    for (let i = 0; i < 3; i++) f.call(Code.UNAVAILABLE);
    f.time += 11_000;
    f.call(Code.UNAVAILABLE);
    await turn();
    expect(f.breaker.state).toBe('closed');
  });

  it('does not count faults of clients, cancellations and hasty deadlines', async () => {
    const f = new Fixture();
    const faults = [
      Code.CANCELLED,
      Code.INVALID_ARGUMENT,
      Code.NOT_FOUND,
      Code.ALREADY_EXISTS,
      Code.PERMISSION_DENIED,
      Code.RESOURCE_EXHAUSTED,
      Code.FAILED_PRECONDITION,
      Code.ABORTED,
      Code.OUT_OF_RANGE,
      Code.UNIMPLEMENTED,
      Code.UNAUTHENTICATED,
    ];
    for (let i = 0; i < 10; i++) for (const status of faults) f.call(status);
    f.time += 20_000;
    for (let i = 0; i < 100; i++) {
      f.admit().ignore();
      f.call(Code.DEADLINE_EXCEEDED, 1);
    }
    await turn();
    expect(f.breaker.state).toBe('closed');
    for (let i = 0; i < 4; i++) f.call(Code.DEADLINE_EXCEEDED, 2000);
    await turn();
    expect(f.breaker.state).toBe('open');
  });

  it('counts the statuses that it is told to', async () => {
    const f = new Fixture({ failureStatuses: new Set([Code.ABORTED]) });
    for (let i = 0; i < 10; i++) f.call(Code.UNAVAILABLE);
    await turn();
    expect(f.breaker.state).toBe('closed');
    f.time += 20_000;
    for (let i = 0; i < 10 && f.breaker.acquire() !== 5000; i++) f.call(Code.ABORTED);
    await turn();
    expect(f.breaker.state).toBe('open');
  });
});

describe('an open breaker', () => {
  it('refuses, and says for how long', async () => {
    const f = new Fixture();
    await f.open();
    expect(f.breaker.acquire()).toBe(5000);
    f.time += 4000;
    expect(f.breaker.acquire()).toBe(1000);
    expect(f.breaker.state).toBe('open');
  });

  it('is not moved by calls that were begun before it opened', async () => {
    const f = new Fixture();
    const early = Array.from({ length: 20 }, () => f.admit());
    await f.halfOpen();
    const probe = f.admit();
    for (const permit of early.slice(0, 10)) permit.settle(Code.UNAVAILABLE);
    expect(f.breaker.state).toBe('half_open');
    probe.settle(Code.OK);
    await turn();
    for (const permit of early.slice(10)) permit.settle(Code.UNAVAILABLE);
    await turn();
    expect(f.breaker.state).toBe('closed');
  });
});

describe('a half open breaker', () => {
  it('admits one probe, refuses the rest at once, and closes when it succeeds', async () => {
    const f = new Fixture();
    await f.halfOpen();
    const probe = f.admit();
    expect(f.breaker.state).toBe('half_open');
    expect(f.breaker.acquire()).toBe(1000);
    probe.settle(Code.OK);
    await turn();
    expect(f.breaker.state).toBe('closed');
    expect(f.changes).toEqual(['open', 'half_open', 'closed']);
    for (let i = 0; i < 3; i++) f.call(Code.UNAVAILABLE);
    await turn();
    expect(f.breaker.state).toBe('closed');
  });

  it('opens again when the probe fails, as often as it does', async () => {
    const f = new Fixture();
    await f.halfOpen();
    for (let i = 0; i < 5; i++) {
      f.call(Code.UNAVAILABLE);
      await turn();
      expect(f.breaker.acquire()).toBe(5000);
      f.time += 5000;
    }
    f.call(Code.NOT_FOUND);
    await turn();
    expect(f.breaker.state).toBe('closed');
  });

  it('gives the place of a probe that said nothing to the next call', async () => {
    const f = new Fixture();
    await f.halfOpen();
    const cancelled = f.admit();
    cancelled.ignore();
    cancelled.settle(Code.UNAVAILABLE);
    const hasty = f.admit();
    hasty.settle(Code.DEADLINE_EXCEEDED, 1);
    const probe = f.admit();
    cancelled.ignore();
    expect(typeof f.breaker.acquire()).toBe('number');
    probe.settle(Code.OK);
    await turn();
    expect(f.breaker.state).toBe('closed');
  });

  it('needs as many successes as there are probes', async () => {
    const f = new Fixture({ probes: 3 });
    await f.halfOpen();
    const probes = [f.admit(), f.admit(), f.admit()];
    expect(typeof f.breaker.acquire()).toBe('number');
    for (const probe of probes) {
      expect(f.breaker.state).toBe('half_open');
      probe.settle(Code.OK);
      await turn();
    }
    expect(f.breaker.state).toBe('closed');
  });

  it('takes a probe that hangs for a failure', async () => {
    const f = new Fixture({ probeTimeoutMs: 1000 });
    await f.halfOpen();
    const hanging = f.admit();
    f.time += 999;
    expect(f.breaker.acquire()).toBe(1000);
    f.time += 1;
    expect(f.breaker.acquire()).toBe(5000);
    await turn();
    expect(f.breaker.state).toBe('open');
    hanging.settle(Code.OK);
    await turn();
    expect(f.breaker.state).toBe('open');
    f.time += 5000;
    f.call(Code.OK);
    await turn();
    expect(f.breaker.state).toBe('closed');
  });

  it('never runs more probes than it may, whatever happens', async () => {
    const step = fc.oneof(
      fc.constant({ kind: 'acquire' } as const),
      fc.record({ kind: fc.constant('settle' as const), which: fc.nat(20), status: fc.constantFrom(0, 0, 5, 14) }),
      fc.record({ kind: fc.constant('ignore' as const), which: fc.nat(20) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3000) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 150 }), async (probes, steps) => {
        const f = new Fixture({ probes, openForMs: 1000, probeTimeoutMs: 1e9 });
        await f.halfOpen();
        let running: { permit: Permit; probe: boolean }[] = [];
        for (const each of steps) {
          if (each.kind === 'wait') f.time += each.ms;
          else if (each.kind === 'acquire') {
            const permit = f.breaker.acquire();
            if (typeof permit === 'number') expect(permit).toBeGreaterThan(0);
            else running.push({ permit, probe: f.breaker.state === 'half_open' });
          } else if (running.length > 0) {
            const [ended] = running.splice(each.which % running.length, 1);
            if (each.kind === 'ignore') ended!.permit.ignore();
            else ended!.permit.settle(each.status);
          }
          await turn();
          if (f.breaker.state !== 'half_open') running = running.map(({ permit }) => ({ permit, probe: false }));
          const count = running.filter(({ probe }) => probe).length;
          expect(count).toBeLessThanOrEqual(probes);
          expect(f.breaker.probing).toBe(f.breaker.state === 'half_open' ? count : 0);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('options', () => {
  it('that are absent or undefined have their defaults', () => {
    const { options } = new CircuitBreaker({ minCalls: undefined, probes: 2 }, () => 0);
    expect(options).toEqual({ ...DEFAULT_BREAKER, probes: 2 });
  });
});

describe('subscriptions', () => {
  it('end when asked to', async () => {
    const f = new Fixture();
    const seen: string[] = [];
    const end = f.breaker.onStateChange((state, previous) => seen.push(`${previous} > ${state}`));
    await f.halfOpen();
    end();
    f.call(Code.OK);
    await turn();
    expect(seen).toEqual(['closed > open']);
  });
});
