import type {
  ChannelzServer,
  GetChannelRequest,
  GetServerRequest,
  GetServerSocketsRequest,
  GetServersRequest,
  GetSocketRequest,
  GetSubchannelRequest,
  GetTopChannelsRequest,
} from '../../../generated/grpc/channelz/v1/channelz.ts';
import { Code } from '../../grpc/status.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { ControlError } from '../control-error.ts';
import { createUnaryHandler } from '../unary-handler.ts';
import { toChannel, toListenSocket, toServer, toSocket, toSocketRef, toSubchannel } from './messages.ts';
import type { ChannelzRegistry, Numbered } from './registry.ts';

const DEFAULT_RESULTS = 100;
/** However many are asked for. */
const MAX_RESULTS = 500;

/** `grpc.channelz.v1.Channelz`, for `grpcdebug` and its like: what is connected to this gateway, and what it is connected to. */
export function createChannelzService(registry: ChannelzRegistry, log: Logger): ChannelzServer {
  const server = (id: number) => find(registry.servers(), id, 'server');
  const subchannels = () => registry.channels().flatMap(({ of }) => registry.subchannels(of));
  return {
    getTopChannels: createUnaryHandler(log, ({ startChannelId, maxResults }: GetTopChannelsRequest) => {
      const { page, end } = pageOf(registry.channels(), startChannelId, maxResults);
      return { channel: page.map((each) => toChannel(registry, each)), end };
    }),
    getServers: createUnaryHandler(log, ({ startServerId, maxResults }: GetServersRequest) => {
      const { page, end } = pageOf(registry.servers(), startServerId, maxResults);
      return { server: page.map((each) => toServer(registry, each)), end };
    }),
    getServer: createUnaryHandler(log, ({ serverId }: GetServerRequest) => ({
      server: toServer(registry, server(serverId)),
    })),
    getServerSockets: createUnaryHandler(log, (request: GetServerSocketsRequest) => {
      const sockets = registry.sockets(server(request.serverId).of.listener);
      const { page, end } = pageOf(sockets, request.startSocketId, request.maxResults);
      return { socketRef: page.map(toSocketRef), end };
    }),
    getChannel: createUnaryHandler(log, ({ channelId }: GetChannelRequest) => ({
      channel: toChannel(registry, find(registry.channels(), channelId, 'channel')),
    })),
    getSubchannel: createUnaryHandler(log, ({ subchannelId }: GetSubchannelRequest) => ({
      subchannel: toSubchannel(registry, find(subchannels(), subchannelId, 'subchannel')),
    })),
    getSocket: createUnaryHandler(log, ({ socketId }: GetSocketRequest) => {
      const listening = registry.servers().find(({ of }) => registry.listeningId(of) === socketId);
      if (listening !== undefined) return { socket: toListenSocket(socketId, listening.of) };
      const connection = registry.findSocket(socketId);
      if (connection === undefined) throw unknown(socketId, 'socket');
      return { socket: toSocket({ id: socketId, of: connection }) };
    }),
  };
}

/** @param start the least number @param max 0 for as many as is usual */
function pageOf<T>(all: readonly Numbered<T>[], start: number, max: number): { page: Numbered<T>[]; end: boolean } {
  const rest = all.filter(({ id }) => id >= start);
  const size = Math.min(max > 0 ? max : DEFAULT_RESULTS, MAX_RESULTS);
  return { page: rest.slice(0, size), end: rest.length <= size };
}

/** @throws ControlError */
function find<T>(all: readonly Numbered<T>[], id: number, kind: string): Numbered<T> {
  const found = all.find((each) => each.id === id);
  if (found === undefined) throw unknown(id, kind);
  return found;
}

function unknown(id: number, kind: string): ControlError {
  const message = `There is no ${kind} ${id}. It may be gone, or be one of another gateway: numbers hold for one, until it stops.`;
  return new ControlError(Code.NOT_FOUND, 'CHANNELZ_ENTITY_UNKNOWN', message);
}
