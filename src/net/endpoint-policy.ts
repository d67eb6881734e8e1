import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net';
import { guardLookup, isLoopback, refusalOfAddress } from './address-policy.ts';

export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string };

export interface EndpointPolicyOptions {
  readonly unixSockets: boolean;
  /** Where this gateway listens; asked anew each time. */
  readonly listening: () => Iterable<{ readonly host: string; readonly port: number }>;
  /** The addresses of this machine; asked anew each time. */
  readonly ownAddresses: () => readonly string[];
}

const ITSELF = 'where this gateway itself listens';

/**
 * Which endpoints a backend of an administrator may have, whoever that is: nothing that no host has, or that only this machine
 * can reach and gives credentials; not the gateway, whose calls would go round and round; Unix sockets only where the
 * configuration says so. A name is nothing yet: what it resolves to is looked at whenever it is connected to.
 */
export class EndpointPolicy {
  readonly #options: EndpointPolicyOptions;

  constructor(options: EndpointPolicyOptions) {
    this.#options = options;
  }

  /** Why an endpoint is refused, a clause; undefined when it is not. */
  refusalOf(endpoint: Endpoint): string | undefined {
    if ('path' in endpoint) {
      if (this.#options.unixSockets) return undefined;
      return 'is a Unix socket, and the configuration file does not allow these ("registration: {unix_sockets: true}")';
    }
    const { host, port } = endpoint;
    if (port === 0) return 'has port 0, at which nothing can be reached';
    const known = isIP(host) === 0 ? undefined : this.#refusalOfAddress(host, port);
    const what = known ?? (host.toLowerCase() === 'localhost' ? this.#refusalOfAddress('127.0.0.1', port) : undefined);
    return what && `is ${what}: a backend cannot be there`;
  }

  /** What becomes of an attempt to connect there. */
  refuse(endpoint: Endpoint): Error | undefined {
    const why = this.refusalOf(endpoint);
    return why === undefined ? undefined : new EndpointRefused(endpoint, why);
  }

  /** Resolves the names of endpoints at that port; what may not be connected to is an AddressRefused. */
  lookupFor(port: number): LookupFunction {
    return guardLookup((address) => this.#refusalOfAddress(address, port));
  }

  #refusalOfAddress(address: string, port: number): string | undefined {
    return refusalOfAddress(address) ?? (this.#isOwn(address, port) ? ITSELF : undefined);
  }

  #isOwn(address: string, port: number): boolean {
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    for (const own of this.#options.listening()) {
      if (own.port === port && this.#listOf(own.host).check(address, family)) return true;
    }
    return false;
  }

  /** The addresses at which a listener is reached. IPv4 addresses as IPv6 writes them are the same to a BlockList. */
  #listOf(host: string): BlockList {
    const list = new BlockList();
    const isEverywhere = host === '0.0.0.0' || host === '::';
    const own = isEverywhere
      ? this.#options.ownAddresses()
      : [isLoopback(host) && isIP(host) === 0 ? '127.0.0.1' : host];
    for (const address of own) {
      const plain = address.replace(/%.*$/, '');
      if (isIP(plain) !== 0) list.addAddress(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
    }
    if (isEverywhere) list.addSubnet('127.0.0.0', 8, 'ipv4');
    return list;
  }
}

/** An endpoint that must not be connected to. */
export class EndpointRefused extends Error {
  constructor(endpoint: Endpoint, why: string) {
    super(`${'path' in endpoint ? `unix:${endpoint.path}` : endpoint.host} ${why}`);
    this.name = 'EndpointRefused';
  }
}
