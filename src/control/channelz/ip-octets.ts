import { isIPv4, isIPv6 } from 'node:net';

/** The octets of an address, 4 or 16; none of what is no address. */
export function ipOctets(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address)) return Buffer.alloc(0);
  // Without a zone; what is written as IPv4 is two groups.
  const text = address.replace(/%.*$/, '').replace(/[\d.]+$/, (last) => (isIPv4(last) ? toGroups(last) : last));
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0);
  const octets = Buffer.alloc(16);
  for (const [index, group] of [...before, ...zeros, ...after].entries()) octets.writeUInt16BE(group, index * 2);
  return octets;
}

function toGroups(ipv4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
