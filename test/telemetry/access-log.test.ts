import { expect, test } from 'vitest';
import type { Call, Outcome } from '../../src/chain/call.ts';
import { createAccessLog } from '../../src/telemetry/access-log.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMethod, emptySnapshot } from './fixtures.ts';

const SECRET = 'tg_laptop_abc_verysecret';

function call(): Call {
  return {
    startedAt: 0,
    snapshot: emptySnapshot(),
    method: createMethod('pkg.Service/Method'),
    credential: { text: SECRET, entry: { text: SECRET } },
    remoteAddress: '127.0.0.1:5',
    peerIdentity: undefined,
    principal: { id: 'abc', tenantId: 'acme', scopes: new Set() },
    tenant: { id: 'acme', displayName: '', plan: 'free', suspended: false },
    plan: undefined,
    reservedUnits: 0,
    countsConcurrency: false,
  };
}

function outcome(status: number, reason?: string): Outcome {
  const refusal = reason
    ? { status, reason, message: 'no', retryAfterMs: undefined, violation: undefined, metadata: undefined }
    : undefined;
  return { status, refusal, reachedBackend: !reason, cancelled: false, durationMs: 1.23456 };
}

function logAt(level: string) {
  const lines: string[] = [];
  let time = 0;
  const log = createAccessLog(createLogger(level, { write: (line) => void lines.push(line) }), () => time);
  return { lines, log, advance: (ms: number) => (time += ms), parsed: () => lines.map((line) => JSON.parse(line)) };
}

test('a refused call is one line with who, what, why and how long', () => {
  const { log, parsed } = logAt('info');
  log(call(), outcome(8, 'RATE_LIMITED'), 'req-1');
  expect(parsed()).toEqual([
    {
      level: 'info',
      time: expect.any(String),
      request_id: 'req-1',
      tenant: 'acme',
      principal: 'abc',
      method: 'pkg.Service/Method',
      status: 8,
      reason: 'RATE_LIMITED',
      reached_backend: false,
      duration_ms: 1.235,
      remote: '127.0.0.1:5',
      msg: 'call refused',
    },
  ]);
});

test.each([
  ['spiffe://a/b', { uris: ['spiffe://a/b'], dnsNames: ['a.test'], commonName: 'a' }],
  ['a.test', { uris: [], dnsNames: ['a.test'], commonName: 'a' }],
  ['a', { uris: [], dnsNames: [], commonName: 'a' }],
  ['AB:CD', { uris: [], dnsNames: [], commonName: undefined }],
])('a client certificate is named %s', (name, identity) => {
  const { log, parsed } = logAt('info');
  log(
    { ...call(), peerIdentity: { ...identity, fingerprint: 'AB:CD', expiresAt: 0 } },
    outcome(8, 'RATE_LIMITED'),
    'req-1',
  );
  expect(parsed()).toMatchObject([{ peer: name }]);
});

test('no line has the credential', () => {
  const { log, lines } = logAt('trace');
  log(call(), outcome(16, 'CREDENTIAL_INVALID'), 'r');
  log(call(), outcome(0), 'r');
  expect(lines).toHaveLength(2);
  expect(lines.join('')).not.toContain('verysecret');
});

test('a call that went well is told at debug only', () => {
  const info = logAt('info');
  info.log(call(), outcome(0), 'r');
  expect(info.lines).toEqual([]);
  const debug = logAt('debug');
  debug.log(call(), outcome(0), 'r');
  expect(debug.parsed()[0]).toMatchObject({ level: 'debug', status: 0, msg: 'call ended' });
});

test('a flood of refusals is bounded, and what was left out is counted', () => {
  const { log, parsed, advance } = logAt('info');
  for (let i = 0; i < 5000; i++) log(call(), outcome(16, 'CREDENTIAL_INVALID'), 'r');
  expect(parsed()).toHaveLength(100);
  advance(1000);
  log(call(), outcome(16, 'CREDENTIAL_INVALID'), 'r');
  log(call(), outcome(14), 'r');
  const lines = parsed();
  expect(lines).toHaveLength(102);
  expect(lines[100]).toMatchObject({ suppressed: 4900 });
  expect(lines[101]).not.toHaveProperty('suppressed');
  expect(lines[101]).toMatchObject({ msg: 'call failed', status: 14 });
});

test('a logger hides fields that are named like credentials', () => {
  const lines: string[] = [];
  const log = createLogger('info', { write: (line) => void lines.push(line) });
  log.info({ authorization: SECRET, headers: { 'x-api-key': SECRET } }, 'hello');
  expect(lines.join('')).not.toContain('verysecret');
});
