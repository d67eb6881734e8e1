import { expect, it } from 'vitest';
import { RedisTime } from '../../../src/store/redis/redis-time.ts';

function newTime() {
  const local = { ms: 5000 };
  return { local, time: new RedisTime({ now: () => local.ms + 1_000_000, monotonic: () => local.ms }) };
}

it('is this machine’s time until Redis has told its own, and runs on with the monotonic clock', () => {
  const { local, time } = newTime();
  expect(time.now()).toBe(1_005_000);
  local.ms += 10;
  time.observe(9_000_000, 5000);
  expect(time.now()).toBe(9_000_005);
  local.ms += 100;
  expect(time.now()).toBe(9_000_105);
});

it('does not jitter with the way of answers, and follows a clock that is moved, ahead or back', () => {
  const { local, time } = newTime();
  time.observe(9_000_000, 5000);
  local.ms += 8;
  time.observe(9_000_007, 5000);
  expect(time.now()).toBe(9_000_008);
  time.observe(9_000_000 + 3_600_000, local.ms);
  expect(time.now()).toBe(12_600_000);
  time.observe(9_000_000, local.ms);
  expect(time.now()).toBe(9_000_000);
});
