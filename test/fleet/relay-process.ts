/** Relays between gateways and Redis, a program of its own: what delays the tests must not delay them. Told what to do over IPC. */
import { TcpRelay } from '../support/tcp-relay.ts';

export interface RelayRequest {
  readonly relay: number;
  readonly order: 'cut' | 'freeze' | 'mend' | 'breakConnections';
}

/** argv: the port of Redis, the number of relays. */
const [target, count] = process.argv.slice(2).map(Number);
const relays: TcpRelay[] = [];
for (let i = 0; i < (count ?? 0); i++) relays.push(await TcpRelay.start(() => target ?? 0));
process.on('message', ({ relay, order }: RelayRequest) => {
  relays[relay]?.[order]();
  process.send?.('done');
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ports: relays.map(({ port }) => port) });
