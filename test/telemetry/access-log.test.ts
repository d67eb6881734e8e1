import { expect, test } from 'vitest';
import type { Outcome } from '../../src/chain/call.ts';
import { AccessLog, type AccessLogSettings, DEFAULT_ACCESS_LOG } from '../../src/telemetry/access-log.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createCall as call, createMethod, SECRET } from './fixtures.ts';

function outcome(status: number, reason?: string): Outcome {
  const refusal = reason
    ? { status, reason, message: 'no', retryAfterMs: undefined, violation: undefined, metadata: undefined }
    : undefined;
  return { status, refusal, reachedBackend: !reason, cancelled: false, durationMs: 1.23456 };
}

function logAt(level: string, settings: Partial<AccessLogSettings> = {}, random = () => 0.5) {
  const lines: string[] = [];
  let time = 0;
  const logger = createLogger(level, { write: (line) => void lines.push(line) });
  const log = new AccessLog(logger, { ...DEFAULT_ACCESS_LOG, ...settings }, { now: () => time, random });
  return {
    lines,
    logger,
    log: log.onEnd,
    close: () => log.close(),
    advance: (ms: number) => (time += ms),
    parsed: () => lines.map((line) => JSON.parse(line)),
  };
}

test('a refused call is one line with who, what, why and how long', () => {
  const { log, parsed } = logAt('info');
  const traffic = { requestMessages: 1, responseMessages: 0, requestOctets: 12, responseOctets: 0 };
  log(call(), { ...outcome(8, 'RATE_LIMITED'), traffic });
  expect(parsed()).toEqual([
    {
      level: 'info',
      time: expect.any(String),
      request_id: 'req-1',
      listener: 'public',
      tenant: 'acme',
      principal: 'abc',
      method: 'pkg.Service/Method',
      status: 8,
      reason: 'RATE_LIMITED',
      reached_backend: false,
      duration_ms: 1.235,
      request_octets: 12,
      response_octets: 0,
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
  log(call({ peerIdentity: { ...identity, fingerprint: 'AB:CD', expiresAt: 0 } }), outcome(8, 'RATE_LIMITED'));
  expect(parsed()).toMatchObject([{ peer: name }]);
});

test('no line has the credential', () => {
  const { log, lines } = logAt('trace');
  log(call(), outcome(16, 'CREDENTIAL_INVALID'));
  log(call(), outcome(0));
  expect(lines).toHaveLength(2);
  expect(lines.join('')).not.toContain('verysecret');
});

test('a call that went well is told at debug only', () => {
  const info = logAt('info');
  info.log(call(), outcome(0));
  expect(info.lines).toEqual([]);
  const debug = logAt('debug');
  debug.log(call(), outcome(0));
  expect(debug.parsed()[0]).toMatchObject({ level: 'debug', status: 0, msg: 'call ended' });
});

test('the level of the log may change: until it is closed, the access log follows', () => {
  const { log, logger, parsed, close } = logAt('info');
  logger.level = 'debug';
  log(call(), outcome(0));
  logger.level = 'warn';
  log(call(), outcome(0));
  log(call(), outcome(8, 'RATE_LIMITED'));
  expect(parsed()).toMatchObject([{ msg: 'call ended' }]);
  close();
  expect(logger.listenerCount('level-change')).toBe(0);
});

test('a slow call, and a share of the others, have a line at info; streams are not slow', () => {
  const { log, parsed } = logAt('info', { slowMs: 1, ratio: 0.4 });
  log(call(), outcome(0));
  log(call({ method: { ...createMethod('pkg.Service/Watch'), kind: 'server_stream' } }), outcome(0));
  const share = logAt('info', { ratio: 0.6 });
  share.log(call(), outcome(0));
  expect(parsed().map(({ msg }) => msg)).toEqual(['slow call']);
  expect(share.parsed().map(({ msg }) => msg)).toEqual(['call']);
});

test('a flood of one kind is bounded, told in one line, and hides no other kind', () => {
  const { log, parsed, advance } = logAt('info');
  for (let i = 0; i < 5000; i++) log(call(), outcome(16, 'CREDENTIAL_INVALID'));
  log(call(), outcome(14));
  expect(parsed()).toHaveLength(21);
  expect(parsed()[20]).toMatchObject({ msg: 'call failed', status: 14 });
  advance(1000);
  log(call(), outcome(16, 'CREDENTIAL_INVALID'));
  expect(parsed().slice(21)).toEqual([
    expect.objectContaining({ msg: '4980 more like this', more: 4980, reason: 'CREDENTIAL_INVALID', tenant: 'acme' }),
    expect.objectContaining({ msg: 'call refused' }),
  ]);
});

test('a flood of many kinds is bounded in lines and memory, and nothing of it is lost in the count', () => {
  const { log, parsed, close } = logAt('info');
  for (let i = 0; i < 3000; i++) log(call({ method: createMethod(`a.B/${i}`) }), outcome(14));
  close();
  const lines = parsed();
  expect(lines.length).toBeLessThanOrEqual(301);
  const told = lines.reduce((sum, { more = 1 }) => sum + more, 0);
  expect(told).toBe(3000);
});

test('metadata is logged by name, cut, and never what is secret by its name or by the method', () => {
  const settings = { metadata: ['user-agent', 'x-user-email', 'x-session', 'absent'] };
  const { log, parsed } = logAt('info', settings);
  const method = createMethod('pkg.Service/Method');
  const policy = { ...method.policy, sensitiveMetadata: ['x-user-email'] };
  const sent: Record<string, string> = { 'user-agent': 'a'.repeat(1000), 'x-user-email': 'me@x', 'x-session': 's' };
  log(call({ method: { ...method, policy }, metadata: (name) => sent[name] }), outcome(14));
  expect(parsed()[0].metadata).toEqual({ 'user-agent': 'a'.repeat(256) });
});

test('a logger hides fields that are named like credentials', () => {
  const lines: string[] = [];
  const log = createLogger('info', { write: (line) => void lines.push(line) });
  log.info({ authorization: SECRET, headers: { 'x-api-key': SECRET } }, 'hello');
  expect(lines.join('')).not.toContain('verysecret');
});
