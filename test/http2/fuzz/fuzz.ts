import { cut, mutateFrames, mutateOctets, reads } from './mutate.ts';
import { Random } from './random.ts';
import type { Recording } from './record.ts';
import { World } from './world.ts';

/** A round that broke an invariant: `seed` repeats it alone. */
export class Finding extends Error {
  readonly seed: number;

  constructor(seed: number, cause: unknown) {
    super(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    this.seed = seed;
  }
}

/**
 * One round: a recorded conversation, changed, is read by our engine in one of its roles, in a world where a canary sings.
 * @throws Finding
 */
export async function fuzzOnce(recordings: readonly Recording[], seed: number): Promise<void> {
  const random = new Random(seed);
  try {
    const role = random.oneIn(2) ? 'server' : 'client';
    const recording = random.pick(recordings);
    const octets = role === 'server' ? recording.fromClient : recording.fromServer;
    await play(role, mutated(octets, role === 'server', random), random);
  } catch (error) {
    throw new Finding(seed, error);
  }
}

/** A recorded side of a conversation, changed by frames, octets or both. */
export function mutated(octets: Buffer, preface: boolean, random: Random): Buffer {
  const frames = cut(octets, preface);
  const changed = random.oneIn(4) ? frames : mutateFrames(frames, random);
  const whole = Buffer.concat(changed);
  return random.oneIn(3) || changed === frames ? mutateOctets(whole, random) : whole;
}

async function play(role: 'server' | 'client', octets: Buffer, random: Random): Promise<void> {
  const world = new World(role, random);
  await world.start();
  let left = octets;
  if (role === 'client') {
    // The server's SETTINGS first, mostly, so that the calls are on their way when the rest comes.
    const greeting = Math.min(octets.length, 9 + octets.readUIntBE(0, 3));
    world.fuzzed.feed(octets.subarray(0, greeting));
    left = octets.subarray(greeting);
    world.call(1 + random.below(7));
    await world.settle();
  }
  let now = 0;
  for (const piece of reads(left, random)) {
    if (world.fuzzed.socket.destroyed) break;
    world.fuzzed.feed(piece);
    if (random.oneIn(20)) world.fuzzed.socket.stalled = true;
    if (random.oneIn(20)) world.fuzzed.socket.release();
    if (random.oneIn(10)) await world.settle();
    if (random.oneIn(40)) {
      now += random.below(3_000);
      world.fuzzed.connection.watch.sweep(now);
    }
    if (random.oneIn(200)) await world.sing();
  }
  await world.end();
}
