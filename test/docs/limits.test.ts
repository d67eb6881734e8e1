import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_LIMITS,
  FLOOD_KINDS,
  MAX_CONNECTIONS,
  MAX_CONNECTIONS_OF_SOURCE,
  SERVER_SETTINGS,
} from '../../src/http2/index.ts';
import { CLIENT_LIMITS } from '../../src/http2/limits.ts';
import { CLIENT_SETTINGS } from '../../src/http2/settings.ts';

const text = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8');
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| kind'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

/** Numbers of the default of the row whose limit has this in it. */
function defaultOf(words: string): number[] {
  const found = rows.filter((row) => `${row[1]} ${row[2]}`.includes(words));
  expect(found).toHaveLength(1);
  return [...found[0]![3]!.matchAll(/\d+/g)].map(Number);
}

const L = DEFAULT_LIMITS;

describe('docs/limits.md', () => {
  it('names every kind that is counted', () => {
    const named = rows.flatMap((row) => [...row[1]!.matchAll(/`([a-z_]+)`/g)].map((match) => match[1]));
    expect([...named].sort()).toEqual([...FLOOD_KINDS].sort());
  });

  it.each<[words: string, values: number[]]>([
    ['`rapid_reset`', [L.resetBurst, L.resetRate]],
    ['`made_you_reset`', [L.resetBurst, L.resetRate]],
    ['`header_list`', [L.resetBurst, L.resetRate]],
    ['`continuation`', [L.maxContinuations, L.maxHeaderBlock]],
    ['`ping`', [L.controlBurst, L.controlRate]],
    ['`unread_answers`', [L.maxQueuedAnswers]],
    ['`unread_output`', [L.outputMax]],
    ['`streams`', [SERVER_SETTINGS.maxConcurrentStreams]],
    ['octets of a response', [CLIENT_SETTINGS.initialWindowSize]],
    ['octets of requests', [SERVER_SETTINGS.connectionWindowSize, SERVER_SETTINGS.initialWindowSize]],
    ['`max_header_list_octets`', [SERVER_SETTINGS.maxHeaderListSize]],
    ['`max_header_fields`', [L.maxHeaderFields]],
    ['`header_memory`', [L.maxHeaderMemory]],
    ['`slow_handshake`', [L.handshakeTimeoutMs]],
    ['`slow_headers`', [L.handshakeTimeoutMs]],
    ['`slow_reader`', [L.writeTimeoutMs]],
    ['`idle_connection`', [L.idleTimeoutMs]],
    ['`idle_stream`', [L.streamIdleTimeoutMs]],
    ['`silent_peer`', [L.keepaliveMs]],
    ['`connections`', [MAX_CONNECTIONS]],
    ['`connections_of_source`', [MAX_CONNECTIONS_OF_SOURCE]],
  ])('says the default of %s', (words, values) => {
    expect(defaultOf(words)).toEqual(values);
  });

  it('says what a turn is', () => {
    expect(text).toContain(`${L.turnFrames} frames and ${L.turnOctets} octets`);
    expect(text).toContain(`${CLIENT_LIMITS.turnFrames} frames and ${CLIENT_LIMITS.turnOctets} octets`);
  });
});
