import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Flag, FrameType, frame } from '../support/frames.ts';
import { Attacker, call } from './attacker.ts';
import { World } from './world.ts';

/** The documented bound, and what a test machine may be late. */
const LIMIT_MS = 10_000;
const LATE_MS = 1_000;
const NOTHING: Buffer = Buffer.alloc(0);
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = frame(FrameType.SETTINGS, 0, 0);

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

/** Connects without a greeting, and sends these octets, an octet a second from `dripped` on. */
async function slow(sent: Buffer, dripped: Buffer = NOTHING): Promise<Attacker> {
  const attacker = await Attacker.open(world.gateway.public, { greets: false });
  if (sent.length > 0) attacker.socket.write(sent);
  let at = 0;
  const drip = setInterval(() => {
    if (at < dripped.length) attacker.socket.write(dripped.subarray(at, ++at));
  }, 1_000);
  await attacker.watch.until(() => attacker.closed);
  clearInterval(drip);
  return attacker;
}

describe('who is slow', () => {
  it('with the preface, SETTINGS, their acknowledgement, a frame or a header block is closed within 10 s', async () => {
    const begun = call(1, world.target.path, world.target.key, { flags: 0 });
    const ACK = frame(FrameType.SETTINGS, Flag.ACK, 0);
    const greeted = Buffer.concat([PREFACE, SETTINGS, ACK]);
    const attackers = await Promise.all([
      slow(NOTHING),
      slow(NOTHING, PREFACE),
      slow(PREFACE),
      slow(Buffer.concat([PREFACE, SETTINGS])),
      slow(greeted, begun),
      slow(Buffer.concat([greeted, begun])),
      slow(Buffer.concat([greeted, begun]), frame(FrameType.CONTINUATION, 0, 1, Buffer.alloc(100))),
      slow(Buffer.from('GET /healthz HT'), Buffer.from('TP/1.1\r\nx-slow: 1\r\n')),
    ]);
    for (const { openedAt, closedAt } of attackers) expect(closedAt - openedAt).toBeLessThan(LIMIT_MS + LATE_MS);
    expect(await world.floods('listener public', 'slow_handshake')).toBeGreaterThanOrEqual(4);
    expect(await world.floods('listener public', 'slow_headers')).toBe(3);
    expect(world.backend.requests).toBe(0);
  });
});
