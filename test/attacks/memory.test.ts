import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SERVER_SETTINGS } from '../../src/http2/index.ts';
import { data, Flag, FrameType, windowUpdate } from '../support/frames.ts';
import { Attacker, call } from './attacker.ts';
import { PouringBackend } from './pouring-backend.ts';
import { answerOk, World } from './world.ts';

const MIB = 1_048_576;
/** What loopback sockets may hold of one connection in the kernel, both ends together. */
const KERNEL = 12 * MIB;
const STREAMS = 100;
/** ATTACK_LONG=1: three million. */
const SINGLE_OCTETS = process.env.ATTACK_LONG === '1' ? 3_000_000 : 300_000;
const INITIAL_WINDOW = 4;

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

let world: World;
beforeEach(async () => {
  world = await World.start();
});
afterEach(() => world.close());

/** Makes the gateway's heap what it is in service, so that what an attack adds can be told from it. */
async function warmUp(): Promise<number> {
  const client = world.victim();
  for (let round = 0; round < 80; round++) {
    await Promise.all(Array.from({ length: 50 }, () => client.call('Unary')));
  }
  client.close();
  // What the tests ask in between is no attack.
  await otherCall();
  world.gateway.resetPeak();
  return world.gateway.residentMiB();
}

describe('memory', () => {
  it('1-byte DATA frames reach the backend coalesced and cost at most 16 MiB', async () => {
    world.backend.behaviour = { onRequestEnd: answerOk };
    const before = await warmUp();
    world.backend.dataFrames = world.backend.dataOctets = 0;
    const attacker = await Attacker.open(world.gateway.public);
    attacker.socket.write(call(1, world.target.path, world.target.key));
    await pourSingleOctets(attacker, SINGLE_OCTETS);
    attacker.socket.write(data(1, Buffer.alloc(0), Flag.END_STREAM));
    await attacker.watch.until(() => attacker.count(FrameType.HEADERS) === 2 || attacker.refused);
    expect(attacker.goaway).toBeUndefined();
    expect(world.backend.dataOctets).toBe(SINGLE_OCTETS);
    expect(world.backend.dataFrames).toBeLessThan(SINGLE_OCTETS / 50);
    expect(world.gateway.peakMiB() - before).toBeLessThan(16);
    attacker.close();
  });

  it('a peer that never opens its window holds 64 KiB a stream and pauses its backend', async () => {
    const before = await warmUpQuietly();
    const backend = new PouringBackend();
    await useBackend(backend);
    const attacker = await Attacker.open(world.gateway.public, { settings: setting(INITIAL_WINDOW, 0) });
    openStreams(attacker, STREAMS);
    await world.backend.watch.until(() => backend.sent.size === STREAMS && world.backend.requests === STREAMS);
    await otherCall();
    for (const octets of backend.sent.values()) expect(octets).toBeLessThanOrEqual(65_536);
    expect(world.gateway.residentMiB() - before).toBeLessThan(16);
    attacker.close();
  });

  it('a peer that never reads holds 64 KiB a stream and pauses its backend', async () => {
    const before = await warmUpQuietly();
    const backend = new PouringBackend();
    await useBackend(backend);
    const attacker = await Attacker.open(world.gateway.public, { settings: setting(INITIAL_WINDOW, 0x7fffffff) });
    attacker.socket.write(windowUpdate(0, 0x7fff0000));
    attacker.socket.pause();
    openStreams(attacker, STREAMS);
    await world.backend.watch.until(() => backend.sent.size === STREAMS && world.backend.requests === STREAMS);
    await otherCall();
    expect(backend.total).toBeLessThanOrEqual(STREAMS * 65_536 + KERNEL);
    expect(world.gateway.residentMiB() - before).toBeLessThan(16);
    attacker.close();
  });

  it('streams with large headers are refused beyond 2 MiB, and the connection goes on', async () => {
    const before = await warmUpQuietly();
    const attacker = await Attacker.open(world.gateway.public);
    const more = [1, 2, 3].map((part) => [`x-large-${part}`, 'v'.repeat(7_900)] as const);
    for (let index = 0; index < 200; index++) {
      attacker.socket.write(call(2 * index + 1, world.target.path, world.target.key, { more: distinct(more, index) }));
    }
    await attacker.watch.until(() => attacker.closed || attacker.resets.length > 0);
    expect(attacker.goaway).toBeUndefined();
    expect(attacker.resets[0]?.code).toBe(7); // REFUSED_STREAM
    expect(await world.floods('listener public', 'header_memory')).toBeGreaterThan(0);
    expect(world.gateway.residentMiB() - before).toBeLessThan(16);
    attacker.close();
  });
});

function distinct(fields: readonly (readonly [string, string])[], index: number) {
  return fields.map(([name, value]) => [name, `${index}${value}`.slice(0, value.length)] as const);
}

function openStreams(attacker: Attacker, count: number): void {
  const { path, key } = world.target;
  for (let index = 0; index < count; index++) {
    attacker.socket.write(call(2 * index + 1, path, key, { flags: Flag.END_HEADERS | Flag.END_STREAM }));
  }
}

async function warmUpQuietly(): Promise<number> {
  world.backend.behaviour = { onRequestEnd: answerOk };
  const resident = await warmUp();
  world.backend.requests = 0;
  return resident;
}

/** The gateway connects anew, to a backend that pours. */
async function useBackend(backend: PouringBackend): Promise<void> {
  world.backend.behaviour = backend.behaviour;
  world.backend.dropConnections();
  world.backend.requests = 0;
  await world.metrics();
}

/** Something else goes through the gateway: what was read before it has been worked on. */
async function otherCall(): Promise<void> {
  for (let round = 0; round < 20; round++) await world.metrics();
}

/** Sends `total` frames of one octet as the windows allow. */
async function pourSingleOctets(attacker: Attacker, total: number): Promise<void> {
  const one = data(1, Buffer.from('x'));
  const grown = (stream: number) => attacker.grown.get(stream) ?? 0;
  const block = Buffer.concat(Array.from({ length: 2_048 }, () => one));
  for (let sent = 0; sent < total; ) {
    const allowed = () => Math.min(65_535 + grown(0), SERVER_SETTINGS.initialWindowSize + grown(1)) - sent;
    await attacker.watch.until(() => allowed() > 0 || attacker.refused);
    if (attacker.refused) return;
    const count = Math.min(2_048, allowed(), total - sent);
    sent += count;
    if (!attacker.socket.write(block.subarray(0, count * one.length))) {
      await new Promise((resolve) => attacker.socket.once('drain', resolve));
    }
  }
}
