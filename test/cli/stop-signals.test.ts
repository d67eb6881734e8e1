import { expect, test } from 'vitest';
import { waitForStop } from '../../src/cli/stop-signals.ts';
import { createFakeIo } from './fake-io.ts';

function draining() {
  const io = createFakeIo({}, () => 0);
  const drained = Promise.withResolvers<void>();
  let drains = 0;
  const stopped = waitForStop(io, () => {
    drains++;
    return drained.promise;
  });
  return { io, drained, stopped, drains: () => drains };
}

test('the first signal drains, and the command ends when that is done', async () => {
  const { io, drained, stopped, drains } = draining();
  expect(drains()).toBe(0);
  io.signal();
  expect(drains()).toBe(1);
  drained.resolve();
  await stopped;
  expect(io.exits).toEqual([]);
});

test('a second signal ends at once', () => {
  const { io, drains } = draining();
  io.signal();
  io.advance(2000);
  io.signal();
  expect([drains(), io.exits]).toEqual([1, [130]]);
});

test('the same signal, which npm passes on once more, is not a second one', () => {
  const { io } = draining();
  io.signal();
  io.advance(20);
  io.signal();
  expect(io.exits).toEqual([]);
});

test('a drain that fails is an error of the command', async () => {
  const { io, drained, stopped } = draining();
  io.signal();
  drained.reject(new Error('stuck'));
  await expect(stopped).rejects.toThrow('stuck');
});
