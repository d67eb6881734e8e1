import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocalBreakers } from '../../src/breaker/breaker-admin.ts';
import { type BreakerState, CircuitBreaker } from '../../src/breaker/circuit-breaker.ts';
import { Code } from '../../src/grpc/status.ts';

const OPTIONS = { failureRatio: 0.5, windowMs: 10_000, minCalls: 10, openForMs: 5000, probes: 1 };

function create() {
  const clock = { time: 1000 };
  const breaker = new CircuitBreaker(OPTIONS, () => clock.time);
  const changes: BreakerState[] = [];
  breaker.onStateChange((state) => changes.push(state));
  const call = (status: number, times = 1) => {
    for (let i = 0; i < times; i++) {
      const permit = breaker.acquire();
      if (typeof permit !== 'number') permit.settle(status);
    }
  };
  return { clock, breaker, changes, call };
}

describe('a breaker that others give orders', () => {
  it('opens when tripped, whatever was counted, and recovers as ever', async () => {
    const { breaker, clock, call } = create();
    breaker.trip();
    expect(breaker.acquire()).toBe(5000);
    await turn();
    expect(breaker.state).toBe('open');
    clock.time += 5000;
    call(Code.OK);
    await turn();
    expect(breaker.state).toBe('closed');
  });

  it('stays open anew when tripped while open', async () => {
    const { breaker, clock } = create();
    breaker.trip();
    await turn();
    clock.time += 4000;
    breaker.trip();
    expect(breaker.retryAfterMs).toBe(5000);
  });

  it('closes when reset, and has forgotten what it counted', async () => {
    const { breaker, call } = create();
    call(Code.UNAVAILABLE, 10);
    await turn();
    expect(breaker.state).toBe('open');
    breaker.reset();
    await turn();
    expect(breaker.state).toBe('closed');
    expect(breaker.totals()).toEqual({ calls: 0, failures: 0 });
    call(Code.UNAVAILABLE, 9);
    await turn();
    expect(breaker.state).toBe('closed');
  });

  it('ends where the last order wants it, in whatever state and however quickly they come', async () => {
    const order = fc.constantFrom('trip', 'reset', 'fail', 'probe', 'turn');
    await fc.assert(
      fc.asyncProperty(fc.array(order, { maxLength: 20 }), fc.constantFrom('trip', 'reset'), async (orders, last) => {
        const { breaker, clock, call } = create();
        for (const each of orders) {
          if (each === 'trip' || each === 'reset') breaker[each]();
          else if (each === 'fail') call(Code.UNAVAILABLE, 10);
          else if (each === 'turn') await turn();
          else {
            clock.time += 5000;
            breaker.acquire();
          }
        }
        breaker[last]();
        await turn();
        expect(breaker.state).toBe(last === 'trip' ? 'open' : 'closed');
      }),
    );
  });

  it('opens at half the share and half the calls when it is careful', async () => {
    for (const careful of [false, true]) {
      const { breaker, call } = create();
      breaker.careful = careful;
      call(Code.OK, 3);
      call(Code.UNAVAILABLE, 2);
      await turn();
      expect(breaker.state).toBe(careful ? 'open' : 'closed');
    }
  });
});

describe('a breaker that an operator isolates', () => {
  it('is open until it is reset, and probes do not end that', async () => {
    const { breaker, clock, changes } = create();
    breaker.isolate();
    clock.time += 60_000;
    expect(breaker.acquire()).toBe(5000);
    expect(breaker.state).toBe('open');
    breaker.reset();
    await turn();
    expect(typeof breaker.acquire()).toBe('object');
    expect(changes).toEqual(['open', 'closed']);
  });

  it('closes after reset though it had been open before', async () => {
    const { breaker } = create();
    breaker.trip();
    await turn();
    breaker.isolate();
    breaker.reset();
    await turn();
    expect(breaker.state).toBe('closed');
  });

  it('is listed, and can be isolated and reset by name, without a store', async () => {
    const breakers = new LocalBreakers(() => 0);
    breakers.open('shop', OPTIONS);
    breakers.open('bank', OPTIONS);
    expect((await breakers.list()).map(({ backend, phase }) => [backend, phase])).toEqual([
      ['bank', 'closed'],
      ['shop', 'closed'],
    ]);
    expect(await breakers.isolate('shop')).toMatchObject({ backend: 'shop', phase: 'isolated', local: 'open' });
    expect(await breakers.reset('shop')).toMatchObject({ phase: 'closed', local: 'closed' });
    expect(await breakers.isolate('nobody')).toBeUndefined();
    expect(await breakers.reset('nobody')).toBeUndefined();
  });
});
