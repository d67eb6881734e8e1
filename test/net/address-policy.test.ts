import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { checkAddressAllowed, guardedLookup, isLoopback, refusalOfAddress } from '../../src/net/address-policy.ts';

test('addresses that hold a metadata service, or are no hosts, are refused in every spelling', () => {
  for (const [address, what] of [
    ['169.254.169.254', 'link-local'],
    ['169.254.0.1', 'link-local'],
    ['::ffff:169.254.169.254', 'link-local'],
    ['::ffff:a9fe:a9fe', 'link-local'],
    ['[::ffff:a9fe:a9fe]', 'link-local'],
    ['64:ff9b::a9fe:a9fe', 'link-local'],
    ['2002:a9fe:a9fe::1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['febf::1', 'link-local'],
    ['fd00:ec2::254', 'the metadata service of a cloud'],
    ['100.100.100.200', 'the metadata service of a cloud'],
    ['168.63.129.16', 'the metadata service of a cloud'],
    ['0.0.0.0', 'unspecified'],
    ['::', 'unspecified'],
    ['::ffff:0:0', 'unspecified'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'reserved'],
    ['metadata.google.internal', 'no address'],
  ] as const) {
    expect([address, refusalOfAddress(address)]).toEqual([address, what]);
  }
});

test('hosts are allowed: public ones, private ones, and this machine', () => {
  for (const address of [
    '93.184.215.14',
    '10.1.2.3',
    '192.168.0.1',
    '127.0.0.1',
    '::1',
    '2606:2800::1',
    'fd12::1',
    'fec0::1',
    '::ffff:10.0.0.1',
  ]) {
    expect([address, refusalOfAddress(address)]).toEqual([address, undefined]);
    expect(() => checkAddressAllowed(address)).not.toThrow();
  }
  expect(() => checkAddressAllowed('169.254.169.254')).toThrow(
    'the address 169.254.169.254 is link-local: it is not connected to',
  );
});

test('what a name resolves to is checked: a number that is the address in another form', async () => {
  const looked = (host: string) =>
    new Promise<string>((resolve) => {
      // Port 9 is never reached: either the look-up refuses, or nothing listens there.
      const socket = connect({ host, port: 9, lookup: guardedLookup });
      socket.on('error', (error) => resolve(error.message));
      socket.on('connect', () => resolve('connected'));
    });
  expect(await looked('2852039166')).toContain('is link-local');
  expect(await looked('0')).toContain('is unspecified');
  expect(await looked('localhost')).not.toContain('is not connected to');
});

test('this machine is known by its names', () => {
  expect(['localhost', '127.0.0.1', '127.8.9.1', '[::1]', '::1'].map(isLoopback)).not.toContain(false);
  expect(['127.0.0.1.example.com', 'localhost.example.com', '10.0.0.1', ''].map(isLoopback)).not.toContain(true);
});
