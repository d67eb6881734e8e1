import { expect, test } from 'vitest';
import { Client } from '../../src/http2/index.ts';
import { Backend } from '../../src/routing/backend.ts';
import { HEADER_NAMES } from '../../src/routing/header-names.ts';

function backendOf(count: number, random: () => number): Backend {
  const endpoints = Array.from({ length: count }, (_, i) => ({
    name: `e${i}`,
    client: new Client({ target: { host: '127.0.0.1', port: 1 }, names: HEADER_NAMES }),
  }));
  const breaker = { acquire: () => ({ settle: () => {}, ignore: () => {} }) };
  return new Backend({ name: 'b', endpoints, breaker, secure: false, defaultTimeoutMs: undefined, random });
}

test('calls go to the less loaded of two different endpoints', () => {
  const draws = [0, 0];
  const backend = backendOf(3, () => draws.shift() ?? 0);
  backend.endpoints[0]!.outstanding = 5;
  expect(backend.pick(0).name).toBe('e1');
});

test('load stays even when calls are never ended', () => {
  let seed = 1;
  const backend = backendOf(5, () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  });
  for (let i = 0; i < 1000; i++) backend.pick(0).outstanding++;
  for (const endpoint of backend.endpoints) expect(Math.abs(endpoint.outstanding - 200)).toBeLessThan(10);
});

test('an endpoint that could not be reached is passed over until its time, unless all are such', () => {
  const backend = backendOf(3, Math.random);
  backend.avoid(backend.endpoints[0]!, 0);
  backend.avoid(backend.endpoints[1]!, 0);
  for (let i = 0; i < 50; i++) expect(backend.pick(500).name).toBe('e2');
  backend.avoid(backend.endpoints[2]!, 0);
  expect(backend.endpoints).toContain(backend.pick(500));
  const later = new Set(Array.from({ length: 200 }, () => backend.pick(5000).name));
  expect(later.size).toBe(3);
});
