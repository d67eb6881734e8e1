import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { data, Flag, FrameCutter, FrameType, frame, headers, windowUpdate } from '../support/frames.ts';
import type { RawConnection } from '../support/raw-backend.ts';
import { ENHANCE_YOUR_CALM } from './floods.ts';
import { answerOk, World } from './world.ts';

/** Frames of a flood, in all: more than any limit. */
const FRAMES = 3_000;
const MIB = 16;
const UNAVAILABLE = 14;
const EIGHT = Buffer.alloc(8);
const PRIORITY = 2;
const INFORMATION = [[':status', '103']] as const;
const RESPONSE = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;

let world: World;
beforeAll(async () => {
  // One flood a call: tried again, each attempt would be one.
  world = await World.start(({ backends }) => {
    for (const backend of backends) backend.retry = { maxAttempts: 1, budgetRatio: 0 };
  });
});
afterAll(() => world.close());

/** What a backend sends instead of an answer, for the stream of the call. */
const floods: [name: string, kind: string, opening: (id: number) => Buffer, one: (id: number) => Buffer][] = [
  ['PING', 'ping', none, () => frame(FrameType.PING, 0, 0, EIGHT)],
  ['SETTINGS', 'settings', none, () => frame(FrameType.SETTINGS, 0, 0)],
  ['PRIORITY', 'priority', none, (id) => frame(PRIORITY, 0, id, Buffer.alloc(5))],
  ['WINDOW_UPDATE', 'window_update', none, (id) => windowUpdate(id, 1)],
  ['responses that only inform', 'other_frames', none, (id) => headers(id, INFORMATION)],
  ['empty DATA', 'empty_data', (id) => headers(id, RESPONSE), (id) => data(id, Buffer.alloc(0))],
  [
    'CONTINUATION',
    'continuation',
    (id) => headers(id, RESPONSE, 0),
    (id) => frame(FrameType.CONTINUATION, 0, id, Buffer.alloc(0)),
  ],
  ['frames of no known type', 'other_frames', none, () => frame(0xbe, 0, 0, EIGHT)],
  [
    'GOAWAY',
    'other_frames',
    none,
    () => frame(FrameType.GOAWAY, 0, 0, Buffer.concat([Buffer.from([127, 255, 255, 255]), Buffer.alloc(4)])),
  ],
];

function none(): Buffer {
  return Buffer.alloc(0);
}

/** Watches what the gateway says to the backend. */
function watchGoaway(connection: RawConnection, onGoaway: (code: number) => void): void {
  const cutter = new FrameCutter(true);
  connection.send(frame(FrameType.SETTINGS, 0, 0));
  connection.socket.on('data', (chunk) => {
    for (const { type, flags, payload } of cutter.push(chunk)) {
      if (type === FrameType.GOAWAY) onGoaway(payload.readUInt32BE(4));
      if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0) {
        connection.send(frame(FrameType.SETTINGS, Flag.ACK, 0));
      }
    }
  });
}

describe('a backend that sends a flood is closed with ENHANCE_YOUR_CALM, and its calls fail as UNAVAILABLE', () => {
  it.each(floods)('%s', async (_name, kind, opening, one) => {
    const client = world.victim();
    const counted = await world.floods('backend everything', kind);
    const before = world.gateway.residentMiB();
    const codes: number[] = [];
    world.backend.behaviour = {
      onConnect: (connection) => watchGoaway(connection, (code) => codes.push(code)),
      onRequestEnd: (connection, id) => {
        connection.send(opening(id), ...Array.from({ length: FRAMES }, () => one(id)));
      },
    };
    world.backend.dropConnections();
    const { code } = await client.call('Unary');
    client.close();
    expect(code).toBe(UNAVAILABLE);
    expect(await world.floods('backend everything', kind)).toBe(counted + 1);
    await world.backend.watch.until(() => codes.length > 0);
    expect(codes[0]).toBe(ENHANCE_YOUR_CALM);
    expect(world.gateway.residentMiB() - before).toBeLessThan(MIB);
  });

  it('and once it behaves, it is used again', async () => {
    world.backend.behaviour = { onRequestEnd: answerOk };
    world.backend.dropConnections();
    const client = world.victim();
    let code = UNAVAILABLE;
    // The breaker has opened meanwhile, or the pool waits: each try is refused at once until they try again.
    while (code === UNAVAILABLE) ({ code } = await client.call('Unary'));
    client.close();
    expect(code).toBe(0);
  });
});
