import { StoreUnavailable } from '../store-errors.ts';
import type { RedisConnection } from './connect.ts';
import { documentKeys } from './document-keys.ts';
import type { RedisReply, Scripts } from './scripts.ts';

/** A gateway as it announced itself. */
export interface GatewayEntry {
  readonly id: string;
  readonly address: string;
  /** The version that it had applied when it was last seen. */
  readonly version: number;
  readonly seenMsAgo: number;
  readonly alive: boolean;
}

export interface FleetView {
  /** Of the store. */
  readonly version: number;
  readonly nonce: string;
  readonly gateways: readonly GatewayEntry[];
}

/** A gateway that was not seen for so long is not counted, but still named: nobody knows what it has. */
export const GATEWAY_ALIVE_MS = 3000;
const FORGET_MS = 600_000;

/** The gateways that share a store: each writes itself into one hash, by Redis' clock. */
export class Gateways {
  readonly #connection: RedisConnection;
  readonly #scripts: Scripts;

  constructor(connection: RedisConnection, scripts: Scripts) {
    this.#connection = connection;
    this.#scripts = scripts;
  }

  /** @throws StoreUnavailable */
  announce(id: string, address: string, version: number): Promise<FleetView> {
    return this.#look(id, address, version);
  }

  /** Only looks. @throws StoreUnavailable */
  view(): Promise<FleetView> {
    return this.#look('', '', 0);
  }

  /** Takes a gateway off the list: it has stopped. @throws StoreUnavailable */
  async leave(id: string): Promise<void> {
    try {
      await this.#connection.client.hdel(documentKeys(this.#connection).gateways, id);
    } catch (error) {
      throw new StoreUnavailable(error);
    }
  }

  async #look(id: string, address: string, version: number): Promise<FleetView> {
    const { gateways, head } = documentKeys(this.#connection);
    const args = [id, address, version, GATEWAY_ALIVE_MS, FORGET_MS];
    try {
      return toView(await this.#scripts.run('announce-gateway', [gateways, head], args));
    } catch (error) {
      throw new StoreUnavailable(error);
    }
  }
}

function toView(reply: RedisReply): FleetView {
  const [version, nonce, entries] = listOf(reply);
  return { version: Number(version), nonce: String(nonce), gateways: listOf(entries).map(toEntry) };
}

function toEntry(reply: RedisReply): GatewayEntry {
  const [id, address, version, seenMsAgo, alive] = listOf(reply);
  return {
    id: String(id),
    address: String(address),
    version: Number(version),
    seenMsAgo: Number(seenMsAgo),
    alive: alive === 1,
  };
}

function listOf(reply: RedisReply | undefined): readonly RedisReply[] {
  return typeof reply === 'object' && reply !== null ? reply : [];
}
