import {
  type Address,
  type Channel,
  ChannelConnectivityState_State,
  ChannelData,
  type Security,
  type Server,
  type Socket,
  SocketData,
  type Subchannel,
} from '../../../generated/grpc/channelz/v1/channelz.ts';
import type { OpenConnection, StreamCounts } from '../../http2/index.ts';
import type { Backend, Endpoint } from '../../routing/backend.ts';
import { ipOctets } from './ip-octets.ts';
import { type ChannelzRegistry, countsOf, type NamedListener, type Numbered } from './registry.ts';

// What channelz says of each (gRFC A14). Servers are listeners, channels are backends, subchannels their endpoints, sockets are
// connections; calls are streams, and one has succeeded when its answer came to an end, whatever the status in it.

export function toServer(registry: ChannelzRegistry, { id, of }: Numbered<NamedListener>): Server {
  return {
    ref: { serverId: id, name: of.name },
    data: calls(of.listener.streamTotals),
    listenSocket: [{ socketId: registry.listeningId(of), name: listeningName(of) }],
  };
}

/** The socket that a listener listens on: no stream is its own. */
export function toListenSocket(id: number, of: NamedListener): Socket {
  const { host, port } = of.listener.address;
  return {
    ref: { socketId: id, name: listeningName(of) },
    data: undefined,
    local: toAddress(host, port),
    remoteName: '',
  };
}

export function toChannel(registry: ChannelzRegistry, { id, of }: Numbered<Backend>): Channel {
  const states = of.endpoints.map((endpoint) => stateOf(endpoint, registry.now()));
  const best = [READY, IDLE].find((state) => states.includes(state)) ?? TRANSIENT_FAILURE;
  return {
    ref: { channelId: id, name: of.name },
    data: channelData(of.endpoints.map(({ name }) => name).join(','), best, countsOf(of)),
    channelRef: [],
    subchannelRef: registry.subchannels(of).map(({ id, of: { name } }) => ({ subchannelId: id, name })),
    socketRef: [],
  };
}

export function toSubchannel(registry: ChannelzRegistry, { id, of }: Numbered<Endpoint>): Subchannel {
  return {
    ref: { subchannelId: id, name: of.name },
    data: channelData(of.name, stateOf(of, registry.now()), of.client.streamTotals),
    channelRef: [],
    subchannelRef: [],
    socketRef: registry.sockets(of.client).map((socket) => toSocketRef(socket)),
  };
}

export function toSocketRef({ id, of }: Numbered<OpenConnection>): { socketId: number; name: string } {
  return { socketId: id, name: `${nameOf(of.localAddress, of.localPort)} -> ${remoteName(of)}` };
}

export function toSocket(numbered: Numbered<OpenConnection>): Socket {
  const { of } = numbered;
  const { info, counts } = of;
  return {
    ref: toSocketRef(numbered),
    data: SocketData.fromPartial({
      streamsStarted: counts.started,
      streamsSucceeded: counts.succeeded,
      streamsFailed: counts.started - counts.succeeded - counts.open,
      messagesSent: info.messagesSent,
      messagesReceived: info.messagesReceived,
      localFlowControlWindow: of.windowToReceive,
      remoteFlowControlWindow: of.windowToSend,
    }),
    local: toAddress(of.localAddress, of.localPort),
    remote: toAddress(info.remoteAddress, info.remotePort),
    security: info.tls ? TLS : undefined,
    remoteName: info.peerIdentity?.uris[0] ?? info.peerIdentity?.dnsNames[0] ?? '',
  };
}

const { READY, IDLE, TRANSIENT_FAILURE } = ChannelConnectivityState_State;
const TLS: Security = { model: { $case: 'other', other: { name: 'tls', value: undefined } } };

function stateOf({ client, avoidUntil }: Endpoint, now: number): ChannelConnectivityState_State {
  if (avoidUntil > now) return TRANSIENT_FAILURE;
  return client.connections > 0 ? READY : IDLE;
}

function channelData(target: string, state: ChannelConnectivityState_State, counts: StreamCounts): ChannelData {
  return ChannelData.fromPartial({ target, state: { state }, ...calls(counts) });
}

function calls({ started, succeeded, open }: StreamCounts) {
  return { callsStarted: started, callsSucceeded: succeeded, callsFailed: started - succeeded - open };
}

function listeningName({ listener }: NamedListener): string {
  const { host, port } = listener.address;
  return nameOf(host, port);
}

function remoteName({ info }: OpenConnection): string {
  return nameOf(info.remoteAddress, info.remotePort);
}

function nameOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function toAddress(host: string, port: number): Address {
  const ipAddress = ipOctets(host);
  if (ipAddress.length > 0) return { address: { $case: 'tcpipAddress', tcpipAddress: { ipAddress, port } } };
  return { address: { $case: 'udsAddress', udsAddress: { filename: host } } };
}
