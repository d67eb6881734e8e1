import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { describeStartError } from '../../src/cli/describe-start-error.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { ContractError, problem } from '../../src/contracts/contract-error.ts';
import { StoreUnavailable, StoreUnusable } from '../../src/store/store.ts';
import { InvalidArgument } from '../../src/tenants/errors.ts';

test('an address in use: which, and what to do', async () => {
  const first = createServer();
  await new Promise<void>((resolve) => first.listen(0, '127.0.0.1', resolve));
  const address = first.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const error = await new Promise((resolve) => createServer().on('error', resolve).listen(port, '127.0.0.1'));
  expect(describeStartError(error, 'my.yaml')).toBe(
    `127.0.0.1:${port} is in use by another program, perhaps another gateway.\n` +
      'Stop that one, or change the address in my.yaml.',
  );
  await new Promise((resolve) => first.close(resolve));
});

test('a bad configuration: every complaint with its place', () => {
  const complaint = {
    file: 'my.yaml',
    line: 3,
    column: 5,
    message: 'unknown key "adress"',
    hint: 'did you mean "address"?',
  };
  expect(describeStartError(new ConfigError([complaint]), 'my.yaml')).toBe(
    'the configuration cannot be used:\nmy.yaml:3:5: unknown key "adress"; did you mean "address"?\n' +
      'Run `tollgate check my.yaml` after the change.',
  );
});

test('a contract that does not compile', () => {
  const error = new ContractError('shop', [problem(['source'], 'there is no service in the contract')]);
  expect(describeStartError(error, 'my.yaml')).toContain(
    'the contract "shop" in my.yaml cannot be used:\nthere is no service',
  );
});

test('a bad admin key is a matter of its variable, not of the file', () => {
  const error = new InvalidArgument('TOLLGATE_ADMIN_KEY', 'must be 22 to 256 characters');
  expect(describeStartError(error, 'my.yaml')).toBe('TOLLGATE_ADMIN_KEY: must be 22 to 256 characters');
  expect(describeStartError(new InvalidArgument('plan.limits', 'x'), 'my.yaml')).toContain('my.yaml');
});

test('a store that is locked says so itself', () => {
  expect(describeStartError(new StoreUnusable('x.db is in use by another gateway'), 'f')).toBe(
    'x.db is in use by another gateway',
  );
});

test.each([
  ['connect ECONNREFUSED 127.0.0.1:6379', 'Start Redis, or correct "store.redis" in f.'],
  ['NOAUTH Authentication required.', '"store.redis.password_from_env" in f'],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'look at the variable of "password_from_env"'],
  ['Unknown RESP type 0 " ". Please report this.', 'What answers there is no Redis'],
])('Redis that cannot be used (%s): what to do', (reason, advice) => {
  const cause = new StoreUnavailable(new Error(reason));
  const message = describeStartError(new StoreUnusable(`cannot read: ${cause.message}`, cause), 'f');
  expect(message).toContain(`cannot read: the store is not available: ${reason}\n`);
  expect(message).toContain(advice);
});

test.each([
  [{ code: 'EACCES', syscall: 'listen', address: '127.0.0.1', port: 80 }, 'no permission to listen on 127.0.0.1:80'],
  [{ code: 'EACCES', syscall: 'open', path: '/data/x' }, 'no permission for /data/x'],
  [
    { code: 'EADDRNOTAVAIL', syscall: 'listen', address: '10.9.9.9', port: 1 },
    '10.9.9.9:1 is not an address of this machine',
  ],
  [
    { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'no.invalid' },
    'the host name no.invalid is not known: correct it in my.yaml',
  ],
  [{ code: 'ENOENT', syscall: 'open', path: '/no/cert.pem' }, '/no/cert.pem does not exist'],
  [{ code: 'ENOSPC', syscall: 'write', path: '/d' }, 'free some space'],
])('%j has an advice', (fields, advice) => {
  expect(describeStartError(Object.assign(new Error('x'), fields), 'my.yaml')).toContain(advice);
});

test('a fault of ours is not explained away', () => {
  expect(describeStartError(new TypeError('x is not a function'), 'my.yaml')).toBeUndefined();
  expect(describeStartError('text', 'my.yaml')).toBeUndefined();
});
