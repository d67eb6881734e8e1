import { expect, test } from 'vitest';
import { EverythingBackend } from '../support/everything-backend.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { ProbedGateway } from '../support/probed-gateway.ts';

const ROUNDS = 60;
const AT_ONCE = 50;
/** What every call goes through, from the request's headers to the answer's end. */
const OF_CALLS = [
  '#onRequest',
  'admit',
  '#forward',
  '#send',
  'writeHeaders',
  '#onResponse',
  'onAnswerTrailers',
  'settle',
];
/** What V8 says of code that it throws away because the shapes of objects are gone that it was made for. */
const THROWN_AWAY = /SharedFunctionInfo (\S+)>\).* reason: embedded weak objects cleared/g;

test('what was compiled for calls outlives a collection that gives memory back while nobody calls', async () => {
  const backend = await new EverythingBackend().start();
  const probed = await ProbedGateway.start({ backend: `127.0.0.1:${backend.port}` }, ['--trace-deopt']);
  const { gateway } = probed;
  try {
    const { resources: idle } = await probed.holdings();
    for (let round = 0; round < ROUNDS; round++) {
      const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.config.key('alpha'));
      const calls = await Promise.all(Array.from({ length: AT_ONCE }, () => client.call('Unary')));
      expect(calls.filter(({ code }) => code !== 0)).toEqual([]);
      client.close();
    }
    // All clients are gone.
    await expect.poll(async () => (await probed.holdings()).resources.TCPSocketWrap ?? 0).toBeLessThanOrEqual(1);
    expect(idle.TCPSocketWrap ?? 0).toBeLessThanOrEqual(1);
    await probed.holdings(true);
    const thrownAway = [...gateway.output.matchAll(THROWN_AWAY)].map(([, name]) => name);
    // Some of what only the start needed always is: V8 does say so.
    expect(thrownAway).not.toEqual([]);
    expect(thrownAway.filter((name) => OF_CALLS.includes(String(name)))).toEqual([]);
  } finally {
    await gateway.dispose();
    backend.stop();
  }
});
