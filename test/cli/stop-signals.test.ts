import { expect, test } from 'vitest';
import { listenForStop } from '../../src/cli/stop-signals.ts';
import { createFakeIo } from './fake-io.ts';

test('the first signal asks for a stop', async () => {
  const io = createFakeIo({}, () => 0);
  const signals = listenForStop(io);
  io.signal();
  await signals.first;
  expect(io.exits).toEqual([]);
});

test('a second signal ends at once', () => {
  const io = createFakeIo({}, () => 0);
  listenForStop(io);
  io.signal();
  io.advance(2000);
  io.signal();
  expect(io.exits).toEqual([130]);
});

test('the same signal, which npm passes on once more, is not a second one', () => {
  const io = createFakeIo({}, () => 0);
  listenForStop(io);
  io.signal();
  io.advance(20);
  io.signal();
  expect(io.exits).toEqual([]);
});

test('after the end signals are none of its business', () => {
  const io = createFakeIo({}, () => 0);
  listenForStop(io).close();
  io.signal();
  io.advance(2000);
  io.signal();
  expect(io.exits).toEqual([]);
});
