/**
 * Watchers of metrics, a program of its own: each on a connection of its own, and some that take nothing once they have begun. Over
 * IPC it is told how many, and tells when all have heard something, and at the end what they were sent.
 */
import { connect, type Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { MetricsServiceService, WatchMetricsRequest } from '../../generated/tollgate/metrics/v1/metrics.ts';
import { toDuration } from '../../src/metrics/series-report.ts';
import {
  Flag,
  FRAME_HEADER,
  FrameType,
  frame,
  OutputBuffer,
  PREFACE,
  Setting,
  settingsFrame,
  windowUpdate,
  writeFrameHeader,
} from '../frames.ts';
import { HpackWriter } from '../hpack-writer.ts';

export type WatchersOrder =
  | {
      readonly port: number;
      readonly key: string;
      readonly watchers: number;
      readonly stalled: number;
      /** How often they want to hear. */
      readonly intervalMs: number;
    }
  | { readonly close: true };

export interface WatchersReport {
  /** Watchers that have heard something, of those that take what they are sent. */
  readonly heard: number;
  /** Pieces that came, and their octets. */
  readonly pieces: number;
  readonly octets: number;
}

const { path, requestSerialize } = MetricsServiceService.watchMetrics;
/** Room for whatever comes: who watches from another machine costs this one nothing, so here they cost as little as can be. */
const WINDOW = 0x7fff_ffff;
const DEFAULT_WINDOW = 65_535;
const MAX_BLOCK = 512;
/** Frames of the connection are shorter. */
const MESSAGE = 1000;

// Watchers are other machines: here they have what time is left, and do not take the gateway's, or its callers'.
setPriority(constants.priority.PRIORITY_LOW);

const sockets: Socket[] = [];
let told = { heard: 0, pieces: 0, octets: 0 };

function open({ port, key, watchers, stalled, intervalMs }: Extract<WatchersOrder, { port: number }>): void {
  told = { heard: 0, pieces: 0, octets: 0 };
  for (let i = 0; i < watchers; i += 1) {
    const isStalled = i < stalled;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => socket.destroy());
    socket.write(greeting(key, intervalMs, isStalled ? undefined : WINDOW));
    sockets.push(socket);
    // The gateway's SETTINGS; a stalled one reads no more, and has the windows that it had.
    socket.once('data', () => {
      socket.write(frame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(0)));
      if (isStalled) socket.pause();
      else read(socket, watchers - stalled);
    });
  }
}

function greeting(key: string, intervalMs: number, window: number | undefined): Buffer {
  const out = new OutputBuffer();
  out.append(PREFACE);
  out.append(settingsFrame(window === undefined ? [] : [[Setting.INITIAL_WINDOW_SIZE, window]]));
  if (window !== undefined) out.append(windowUpdate(0, window - DEFAULT_WINDOW));
  const { buffer, offset } = out.reserve(FRAME_HEADER + MAX_BLOCK);
  const fields = {
    ':method': 'POST',
    ':scheme': 'http',
    ':authority': 'bench.local',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    // As generated stubs say (grpc-js, grpc-java, the core and what is built on it).
    'grpc-accept-encoding': 'identity,deflate,gzip',
  };
  const all = Object.entries({ ...fields, authorization: `Bearer ${key}` });
  const end = new HpackWriter().write(
    all.map(([name, value]) => ({ name, value, indexed: true })),
    buffer,
    offset + FRAME_HEADER,
  );
  const length = end - offset - FRAME_HEADER;
  writeFrameHeader(buffer, offset, length, FrameType.HEADERS, Flag.END_HEADERS, 1);
  out.giveBack(MAX_BLOCK - length);
  const payload = requestSerialize(WatchMetricsRequest.fromPartial({ interval: toDuration(intervalMs) }));
  const message = Buffer.concat([Buffer.alloc(5), payload]);
  message.writeUInt32BE(payload.length, 1);
  out.frame(FrameType.DATA, Flag.END_STREAM, 1, message);
  return out.take() ?? Buffer.alloc(0);
}

/** Begins to count with the first piece that is as large as only a message is. */
function read(socket: Socket, reading: number): void {
  let heard = false;
  socket.on('data', (piece: Buffer) => {
    told.pieces += 1;
    told.octets += piece.length;
    if (heard || piece.length < MESSAGE) return;
    heard = true;
    told.heard += 1;
    if (told.heard === reading) process.send?.(told);
  });
}

process.on('message', (order: WatchersOrder) => {
  if ('port' in order) return open(order);
  for (const socket of sockets.splice(0)) socket.destroy();
  process.send?.(told);
});
process.on('disconnect', () => process.exit(0));
