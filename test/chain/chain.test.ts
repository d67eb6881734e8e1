import { expect, test } from 'vitest';
import type { Outcome, Refusal, Stage, Verdict } from '../../src/chain/call.ts';
import { type ChainedCall, MiddlewareChain } from '../../src/chain/chain.ts';
import { callOf } from '../support/call.ts';

const REFUSAL: Refusal = {
  status: 8,
  reason: 'TEST',
  message: 'refused',
  retryAfterMs: undefined,
  violation: undefined,
  metadata: undefined,
};
const OUTCOME: Outcome = { status: 0, refusal: undefined, reachedBackend: true, cancelled: false, durationMs: 1 };

function stage(name: string, log: string[], verdict: () => Verdict): Stage {
  return {
    name,
    admit: () => {
      log.push(`admit ${name}`);
      return verdict();
    },
    settle: () => {
      log.push(`settle ${name}`);
    },
  };
}

function call(): ChainedCall {
  return { ...callOf({}), admittedStages: 0 };
}

test('stages run in order and are settled in reverse', () => {
  const log: string[] = [];
  const chain = new MiddlewareChain([stage('a', log, () => undefined), stage('b', log, () => undefined)]);
  const it = call();
  expect(chain.admit(it)).toBeUndefined();
  chain.settle(it, OUTCOME);
  expect(log).toEqual(['admit a', 'admit b', 'settle b', 'settle a']);
});

test('the first refusal ends the chain, and only those who admitted are settled, once', () => {
  const log: string[] = [];
  const chain = new MiddlewareChain([
    stage('a', log, () => undefined),
    stage('b', log, () => REFUSAL),
    stage('c', log, () => undefined),
  ]);
  const it = call();
  expect(chain.admit(it)).toBe(REFUSAL);
  chain.settle(it, OUTCOME);
  chain.settle(it, OUTCOME);
  expect(log).toEqual(['admit a', 'admit b', 'settle a']);
});

test('a stage that has to wait is waited for, and the stages after it run then', async () => {
  const log: string[] = [];
  const chain = new MiddlewareChain([
    stage('a', log, () => Promise.resolve(undefined)),
    stage('b', log, () => Promise.resolve(REFUSAL)),
    stage('c', log, () => undefined),
  ]);
  const it = call();
  const verdict = chain.admit(it);
  expect(verdict).toBeInstanceOf(Promise);
  expect(await verdict).toBe(REFUSAL);
  chain.settle(it, OUTCOME);
  expect(log).toEqual(['admit a', 'admit b', 'settle a']);
});

test('what a stage takes for a call that has ended meanwhile goes back, and the stages behind it are not asked', async () => {
  const log: string[] = [];
  const { promise, resolve } = Promise.withResolvers<Refusal | undefined>();
  const chain = new MiddlewareChain([
    stage('a', log, () => undefined),
    stage('b', log, () => promise),
    stage('c', log, () => undefined),
  ]);
  const it = call();
  const verdict = chain.admit(it);
  chain.settle(it, OUTCOME);
  expect(log).toEqual(['admit a', 'admit b', 'settle a']);
  resolve(undefined);
  expect(await verdict).toBeUndefined();
  expect(log).toEqual(['admit a', 'admit b', 'settle a', 'settle b']);
});

test('a stage that refuses a call which has ended meanwhile holds nothing', async () => {
  const log: string[] = [];
  const { promise, resolve } = Promise.withResolvers<Refusal | undefined>();
  const chain = new MiddlewareChain([stage('a', log, () => promise)]);
  const it = call();
  const verdict = chain.admit(it);
  chain.settle(it, OUTCOME);
  resolve(REFUSAL);
  expect(await verdict).toBe(REFUSAL);
  expect(log).toEqual(['admit a']);
});
