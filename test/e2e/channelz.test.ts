import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ChannelzService,
  type Server,
  type Socket,
  ChannelConnectivityState_State as State,
} from '../../generated/grpc/channelz/v1/channelz.ts';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { type ClientCall, GrpcClient } from '../support/grpc-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

// As grpcdebug asks: servers and their sockets, channels, subchannels and theirs.

let backend: EverythingBackend;
let gateway: TestGateway;
let admin: AdminClient;
const clients: GrpcClient[] = [];

beforeAll(async () => {
  backend = await new EverythingBackend().start();
  gateway = await startTestGateway({ backend: backend.address });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
});
afterAll(async () => {
  for (const client of clients) client.close();
  admin.close();
  await gateway.stop();
  await backend.stop();
});

function newClient(): GrpcClient {
  const client = new GrpcClient(`127.0.0.1:${gateway.public}`, gateway.key('alpha'));
  clients.push(client);
  return client;
}

async function serverOf(listener: string): Promise<Server> {
  const { server } = await admin.call(ChannelzService.getServers, { startServerId: 0, maxResults: 0 });
  return server.find(({ ref }) => ref?.name === listener)!;
}

async function socket(id: number): Promise<Socket> {
  return (await admin.call(ChannelzService.getSocket, { socketId: id, summary: false })).socket!;
}

/** Connections of a listener, all pages. */
async function socketsOf(listener: string, pageSize = 0): Promise<number[]> {
  const serverId = (await serverOf(listener)).ref!.serverId;
  const ids: number[] = [];
  for (let start = 0; ; ) {
    const request = { serverId, startSocketId: start, maxResults: pageSize };
    const { socketRef, end } = await admin.call(ChannelzService.getServerSockets, request);
    ids.push(...socketRef.map(({ socketId }) => socketId));
    if (end) return ids;
    expect(socketRef).toHaveLength(pageSize);
    start = ids.at(-1)! + 1;
  }
}

describe('channelz', () => {
  test('shows listeners as servers, with the sockets that they listen on', async () => {
    const { server, end } = await admin.call(ChannelzService.getServers, { startServerId: 0, maxResults: 0 });
    expect([server.map(({ ref }) => ref?.name), end]).toEqual([['public', 'admin'], true]);
    const one = await serverOf('public');
    expect((await admin.call(ChannelzService.getServer, { serverId: one.ref!.serverId })).server).toEqual(one);
    const { local, remote } = await socket(one.listenSocket[0]!.socketId);
    expect(local?.address).toEqual({
      $case: 'tcpipAddress',
      tcpipAddress: { ipAddress: Buffer.from([127, 0, 0, 1]), port: gateway.public },
    });
    expect(remote).toBeUndefined();
  });

  test("counts a connection's streams and messages, and says where it comes from", async () => {
    const before = await socketsOf('public');
    const calls = (await serverOf('public')).data!.callsStarted;
    const client = newClient();
    await client.call('Unary');
    await client.call('ServerStream', { script: { messages: 5 } });
    await client.call('ClientStream', { messages: [1, 2, 3].map((n) => Buffer.from([n])) });
    await client.call('Unary', { script: { code: 5 } });
    const [id] = (await socketsOf('public')).filter((each) => !before.includes(each));
    const { ref, data, local, remote, security } = await socket(id!);
    expect(data).toMatchObject({
      streamsStarted: 4,
      // Of streams: an answer with a status is one.
      streamsSucceeded: 4,
      streamsFailed: 0,
      messagesReceived: 1 + 1 + 3 + 1,
      messagesSent: 1 + 5 + 1,
      localFlowControlWindow: expect.any(Number),
      remoteFlowControlWindow: expect.any(Number),
    });
    expect([local?.address?.$case, remote?.address?.$case, security]).toEqual([
      'tcpipAddress',
      'tcpipAddress',
      undefined,
    ]);
    expect(ref?.name).toMatch(new RegExp(`^127\\.0\\.0\\.1:${gateway.public} -> 127\\.0\\.0\\.1:\\d+$`));
    expect((await serverOf('public')).data).toMatchObject({ callsStarted: calls + 4, callsFailed: 0 });
    // What is gone is gone, and is still counted.
    client.close();
    while ((await socketsOf('public')).includes(id!));
    await expect(socket(id!)).rejects.toMatchObject({ code: 5, details: expect.stringContaining(`socket ${id}`) });
    expect((await serverOf('public')).data).toMatchObject({ callsStarted: calls + 4, callsSucceeded: calls + 4 });
  });

  test('lists connections in pages', async () => {
    for (let i = 0; i < 5; i++) await newClient().call('Unary');
    const all = await socketsOf('public');
    expect(all.length).toBeGreaterThanOrEqual(5);
    expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
    expect(await socketsOf('public', 2)).toEqual(all);
  });

  test('shows backends as channels, endpoints as subchannels, and their connections', async () => {
    await newClient().call('ServerStream', { script: { messages: 4 } });
    const request = { startChannelId: 0, maxResults: 0 };
    const { channel } = await admin.call(ChannelzService.getTopChannels, request);
    const found = channel.find(({ ref }) => ref?.name === 'everything')!;
    expect(found.data).toMatchObject({ target: backend.address, state: { state: State.READY }, callsFailed: 0 });
    const channelId = found.ref!.channelId;
    const alone = (await admin.call(ChannelzService.getChannel, { channelId })).channel;
    expect(alone).toEqual(found);
    const { subchannelId } = found.subchannelRef[0]!;
    const { subchannel } = await admin.call(ChannelzService.getSubchannel, { subchannelId });
    expect(subchannel).toMatchObject({
      ref: { name: backend.address },
      data: { callsStarted: found.data!.callsStarted },
    });
    const sockets = await Promise.all(subchannel!.socketRef.map(({ socketId }) => socket(socketId)));
    const sum = (field: 'streamsStarted' | 'messagesReceived') =>
      sockets.reduce((total, { data }) => total + data![field], 0);
    expect(sum('streamsStarted')).toBe(found.data!.callsStarted);
    expect(sum('messagesReceived')).toBeGreaterThanOrEqual(4);
    const { remote } = sockets[0]!;
    expect(remote?.address).toMatchObject({ tcpipAddress: { port: backend.port } });
    // The gateway's own services are a backend, too, behind a Unix socket.
    const own = channel.find(({ ref }) => ref?.name === 'control')!;
    expect(own.data?.callsStarted).toBeGreaterThan(0);
  });

  test('counts a stream that was cancelled as failed', async () => {
    const before = await serverOf('public');
    const options = { script: { hang: 'after-headers' }, onHeaders: (call: ClientCall) => call.cancel() } as const;
    expect((await newClient().call('ServerStream', options)).code).toBe(1);
    let after = before;
    while (after.data?.callsFailed === before.data?.callsFailed) after = await serverOf('public');
    expect(after.data?.callsFailed).toBe(before.data!.callsFailed + 1);
  });

  test('is for roles only, and not there for the public', async () => {
    const tenant = new AdminClient(gateway.admin, gateway.key('alpha'));
    const request = { startServerId: 0, maxResults: 0 };
    await expect(tenant.call(ChannelzService.getServers, request)).rejects.toMatchObject({ code: 7 });
    tenant.close();
    const stranger = new AdminClient(gateway.public, gateway.adminKey);
    await expect(stranger.call(ChannelzService.getServers, request)).rejects.toMatchObject({ code: 12 });
    stranger.close();
    await expect(admin.call(ChannelzService.getServer, { serverId: 4711 })).rejects.toMatchObject({ code: 5 });
  });
});
