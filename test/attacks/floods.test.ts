import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/http2/index.ts';
import { FrameType } from '../support/frames.ts';
import { Attacker } from './attacker.ts';
import { ENHANCE_YOUR_CALM, FLOODS, type Flood, type Target } from './floods.ts';
import { answerOk, World } from './world.ts';

/** Units written at once: the fewer, the truer the count of what it took. */
const CHUNK = 8;
const MIB = 16;
const OCTETS_OF_MIB = 1_048_576;

let world: World;
beforeAll(async () => {
  world = await World.start();
  world.backend.behaviour = { onRequestEnd: answerOk };
});
afterAll(() => world.close());

/** Three times what is allowed, in chunks. */
function* chunks(flood: Flood, target: Target): Generator<Buffer> {
  for (let index = 0; index < 3 * flood.limit; index += CHUNK) {
    yield Buffer.concat(Array.from({ length: CHUNK }, (_, part) => flood.one(index + part, target)));
  }
}

async function attack(flood: Flood): Promise<Attacker> {
  const attacker = await Attacker.open(world.gateway.public);
  if (flood.opening) attacker.socket.write(flood.opening(world.target));
  await attacker.flood(chunks(flood, world.target));
  await attacker.watch.until(() => attacker.closed);
  return attacker;
}

/** Something else goes through the gateway: the connections before it are gone. */
async function quietCall(): Promise<void> {
  for (let round = 0; round < 5; round++) await world.metrics();
}

describe('each flood ends with ENHANCE_YOUR_CALM within its limit, is counted, and costs no memory', () => {
  it.each(FLOODS)('$name', async (flood) => {
    const counted = await world.floods('listener public', flood.kind);
    const before = world.gateway.residentMiB();
    const requests = world.backend.requests;
    const attacker = await attack(flood);
    expect(attacker.goaway?.code).toBe(ENHANCE_YOUR_CALM);
    if (flood.unit === 'streams') {
      const leaked = ((attacker.closedAt - attacker.openedAt) / 1_000) * DEFAULT_LIMITS.resetRate;
      const streams = (attacker.goaway!.lastStream + 1) / 2;
      expect(streams).toBeLessThanOrEqual(flood.limit + leaked + 1);
      // Those that came before it was a suspect, and those whose reset a slow machine has not read with them.
      expect(world.backend.requests - requests).toBeLessThan(Math.max(2, streams / 4));
    }
    expect(attacker.count(FrameType.PING)).toBeLessThanOrEqual(1_000);
    expect(await world.floods('listener public', flood.kind)).toBe(counted + 1);
    expect(world.gateway.residentMiB() - before).toBeLessThan(MIB);
  });

  it('and gives back what it took', async () => {
    // Once before: what is compiled and made at the first time stays.
    for (const flood of FLOODS) await attack(flood);
    await quietCall();
    const before = await world.held();
    for (const flood of FLOODS) await attack(flood);
    await quietCall();
    const after = await world.held();
    expect((after.heapUsed - before.heapUsed) / OCTETS_OF_MIB).toBeLessThan(1);
    expect((after.external - before.external) / OCTETS_OF_MIB).toBeLessThan(1);
    expect((after.squeezed! - before.squeezed!) / OCTETS_OF_MIB).toBeLessThan(4);
  });

  it('and the backend has no work left of them, and serves others', async () => {
    const client = world.victim();
    const requests = world.backend.requests;
    expect(await client.call('Unary')).toMatchObject({ code: 0 });
    client.close();
    expect(world.backend.requests).toBe(requests + 1);
    expect((await world.metrics()).backends.find((each) => each.backend === 'everything')?.outstandingCalls).toBe(0);
  });
});
