import { lookup } from 'node:dns';
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net';

/**
 * Addresses that nobody may make the gateway connect to: they are no hosts (unspecified, multicast, reserved), or only this
 * machine's own link has them. There the clouds keep their metadata services, which give credentials to whoever asks.
 */
const REFUSED: readonly (readonly [network: string, prefix: number, what: string])[] = [
  ['0.0.0.0', 8, 'unspecified'],
  ['169.254.0.0', 16, 'link-local'],
  ['100.100.100.200', 32, 'the metadata service of a cloud'],
  ['168.63.129.16', 32, 'the metadata service of a cloud'],
  ['192.0.0.192', 32, 'the metadata service of a cloud'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'],
  ['::', 128, 'unspecified'],
  ['fe80::', 10, 'link-local'],
  ['fd00:ec2::', 32, 'the metadata service of a cloud'],
  ['ff00::', 8, 'multicast'],
];

const LISTS = REFUSED.map(([network, prefix, what]) => {
  const list = new BlockList();
  list.addSubnet(network, prefix, isIPv4(network) ? 'ipv4' : 'ipv6');
  return { list, what };
});

/** IPv6 networks whose addresses carry an IPv4 address, and the group that it begins with: mapped, NAT64, 6to4. */
const CARRIERS: readonly (readonly [prefix: string, group: number])[] = [
  ['0:0:0:0:0:ffff:', 6],
  ['64:ff9b:0:0:0:0:', 6],
  ['2002:', 1],
];

/** The address is one that must not be connected to. */
export class AddressRefused extends Error {
  constructor(address: string, what: string) {
    super(`the address ${address} is ${what}: it is not connected to`);
    this.name = 'AddressRefused';
  }
}

/** @returns why an address must not be connected to; undefined when it may. @param address of IPv4 or IPv6, no name */
export function refusalOfAddress(address: string): string | undefined {
  const plain = address.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  const version = isIP(plain);
  if (version === 0) return 'no address';
  const carried = version === 6 ? carriedIPv4(plain) : undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const found = LISTS.find(
    ({ list }) => list.check(plain, family) || (carried !== undefined && list.check(carried, 'ipv4')),
  );
  return found?.what;
}

/** @throws AddressRefused */
export function checkAddressAllowed(address: string): void {
  const what = refusalOfAddress(address);
  if (what !== undefined) throw new AddressRefused(address, what);
}

/**
 * Resolves names as `net.connect` does it, and gives no address that must not be connected to: it is these answers that are
 * connected to, so a name cannot mean one address when it is looked at and another one later. A host that is an address
 * already is never looked up: check it before.
 * @param refusalOf why an address must not be connected to; undefined when it may
 */
export function guardLookup(refusalOf: (address: string) => string | undefined): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '', 0);
        return;
      }
      const allowed = addresses.filter(({ address }) => refusalOf(address) === undefined);
      const [first] = allowed;
      if (first === undefined) {
        const refused = addresses[0]?.address ?? '';
        callback(new AddressRefused(refused, refusalOf(refused) ?? 'none'), '', 0);
        return;
      }
      if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/** By `refusalOfAddress`. */
export const guardedLookup = guardLookup(refusalOfAddress);

/** Whether a host, as it stands in a URL, is this machine. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '');
  if (plain === 'localhost' || plain === '::1') return true;
  return isIPv4(plain) && plain.startsWith('127.');
}

function carriedIPv4(address: string): string | undefined {
  const groups = expand(address);
  const text = `${groups.map((group) => group.toString(16)).join(':')}`;
  const carrier = CARRIERS.find(([prefix]) => text.startsWith(prefix));
  if (carrier === undefined) return undefined;
  const [high = 0, low = 0] = groups.slice(carrier[1], carrier[1] + 2);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight groups of an IPv6 address. */
function expand(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const front = groupsOf(head);
  if (tail === undefined) return front;
  const back = groupsOf(tail);
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}
