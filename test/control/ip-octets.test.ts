import { expect, test } from 'vitest';
import { ipOctets } from '../../src/control/channelz/ip-octets.ts';

test.each([
  ['127.0.0.1', '7f000001'],
  ['::1', '00000000000000000000000000000001'],
  ['::', '00000000000000000000000000000000'],
  ['2001:db8::1:0:2', '20010db8000000000000000100000002'],
  ['fe80::1%eth0', 'fe800000000000000000000000000001'],
  ['::ffff:10.1.2.3', '00000000000000000000ffff0a010203'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['/tmp/a.sock', ''],
  ['', ''],
])('the octets of %j are %j', (address, octets) => {
  expect(ipOctets(address).toString('hex')).toBe(octets);
});
