/** How a load is made. */
export interface Load {
  readonly name: string;
  readonly title: string;
  /** `h2load`: waves of its processes, each with one key. `mixed`: our own driver, the key changes with every request. */
  readonly driver: 'h2load' | 'mixed';
  readonly connections: number;
  /** Concurrent requests of each connection. */
  readonly streams: number;
  /** Octets of a gRPC message with its prefix. */
  readonly messageSize: number;
  /** Requests of a round at `--requests 1`. */
  readonly share: number;
  /** At most so many keys a round; what is left of all keys comes in the next rounds. */
  readonly keysPerRound: number;
}

const SMALL = 71;

export const LOADS: readonly Load[] = [
  {
    name: 'a',
    title: 'A: 10 connections x 50 streams, 71-octet messages (h2load)',
    driver: 'h2load',
    connections: 10,
    streams: 50,
    messageSize: SMALL,
    share: 1,
    keysPerRound: Number.POSITIVE_INFINITY,
  },
  {
    name: 'b',
    title: 'B: 50 connections x 1 stream, 71-octet messages (h2load)',
    driver: 'h2load',
    connections: 50,
    streams: 1,
    messageSize: SMALL,
    share: 1,
    keysPerRound: Number.POSITIVE_INFINITY,
  },
  {
    name: 'mixed-a',
    title: 'A mixed: 10 connections x 50 streams, another key, method and deadline with every request (own driver)',
    driver: 'mixed',
    connections: 10,
    streams: 50,
    messageSize: SMALL,
    share: 1,
    keysPerRound: Number.POSITIVE_INFINITY,
  },
  {
    name: 'mixed-b',
    title: 'B mixed: 50 connections x 1 stream, another key, method and deadline with every request (own driver)',
    driver: 'mixed',
    connections: 50,
    streams: 1,
    messageSize: SMALL,
    share: 0.5,
    keysPerRound: Number.POSITIVE_INFINITY,
  },
  {
    name: 'bulk',
    title: 'Bulk: 10 connections x 4 streams, 256 KiB messages (h2load)',
    driver: 'h2load',
    connections: 10,
    streams: 4,
    messageSize: 256 * 1024,
    share: 0.02,
    keysPerRound: 40,
  },
];
