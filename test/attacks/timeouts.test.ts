import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Duration } from '../../generated/google/protobuf/duration.ts';
import { Limits } from '../../generated/tollgate/config/v1/config.ts';
import { Flag, FrameType, windowUpdate } from '../support/frames.ts';
import { Attacker, call } from './attacker.ts';
import { PouringBackend } from './pouring-backend.ts';
import { World } from './world.ts';

const SECOND = Duration.fromPartial({ seconds: 1 });

let world: World;
beforeAll(async () => {
  world = await World.start((config) => {
    config.listeners[0]!.limits = Limits.fromPartial({
      maxConnections: 6,
      maxConnectionsPerSource: 5,
      maxConcurrentStreams: 3,
      writeTimeout: SECOND,
      idleTimeout: SECOND,
      streamIdleTimeout: SECOND,
    });
  });
});
afterAll(() => world.close());

describe('limits of the configuration', () => {
  it('end idle connections, idle streams, and connections that take nothing', async () => {
    const backend = new PouringBackend();
    world.backend.behaviour = backend.behaviour;
    const window = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
    const [idle, quiet, deaf] = await Promise.all([
      Attacker.open(world.gateway.public),
      Attacker.open(world.gateway.public, { settings: Buffer.from([0, 4, 0, 0, 0, 0]) }),
      Attacker.open(world.gateway.public, { settings: window }),
    ]);
    const { path, key } = world.target;
    quiet.socket.write(call(1, path, key));
    deaf.socket.pause();
    deaf.socket.write(
      Buffer.concat([windowUpdate(0, 0x7fff0000), call(1, path, key, { flags: Flag.END_HEADERS | 1 })]),
    );
    await idle.watch.until(() => idle.goaway !== undefined);
    await quiet.watch.until(() => quiet.resets.length > 0);
    expect(quiet.resets).toEqual([{ stream: 1, code: 8 }]);
    expect(idle.goaway?.code).toBe(0);
    while ((await world.floods('listener public', 'slow_reader')) === 0) {
      // Each call is a turn of the gateway's.
    }
    expect(await world.floods('listener public', 'idle_stream')).toBe(1);
    expect(await world.floods('listener public', 'idle_connection')).toBeGreaterThanOrEqual(1);
    for (const each of [idle, quiet, deaf]) each.close();
  });

  it('refuse streams above the limit, and go on', async () => {
    const attacker = await Attacker.open(world.gateway.public);
    for (let id = 1; id < 12; id += 2) attacker.socket.write(call(id, world.target.path, world.target.key));
    await attacker.watch.until(() => attacker.resets.length === 3);
    expect(attacker.resets.map(({ code }) => code)).toEqual([7, 7, 7]);
    attacker.close();
    await attacker.watch.until(() => attacker.closed);
  });

  it('refuse connections of one source, and of all', async () => {
    const open = await Promise.all(Array.from({ length: 8 }, () => Attacker.open(world.gateway.public)));
    expect(open.filter((each) => each.count(FrameType.SETTINGS) > 0).length).toBeLessThanOrEqual(5);
    expect(await world.floods('listener public', 'connections_of_source')).toBeGreaterThanOrEqual(3);
    for (const each of open) each.close();
  });
});
