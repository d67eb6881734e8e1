import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EventLoopDelay } from '../../src/metrics/event-loop.ts';
import { FAMILIES, HISTOGRAMS } from '../../src/metrics/families.ts';
import { GatewayMetrics } from '../../src/metrics/gateway-metrics.ts';
import { type InstrumentSources, registerInstruments } from '../../src/register-instruments.ts';

const ROOT = join(import.meta.dirname, '../..');
const DEPLOY = join(ROOT, 'deploy');
const PROMTOOL = spawnSync('promtool', ['--version']).status === 0;

interface Row {
  readonly kind: string;
  readonly labels: string;
  readonly help: string;
}

/** Every family that a gateway of a fleet has, as Prometheus knows it. */
function families(): Map<string, Row> {
  const metrics = new GatewayMetrics({ now: () => 0, monotonic: () => 0 });
  const status = { state: 'synced', version: 1, refused: 0, readings: 0 } as const;
  const store = { silent: false, silences: 0, unanswered: 0 };
  const sources = {
    floods: () => [],
    listeners: () => [],
    credentials: () => ({ hits: 0, misses: 0, evictions: 0, positives: 0, negatives: 0 }),
    limits: () => [],
    loop: new EventLoopDelay(() => 0),
    overload: { pressure: 0 },
    rss: () => 0,
    fleet: { sync: { status, liveGateways: 1, lagMs: 0 }, store },
    version: () => 1,
  };
  registerInstruments(metrics, sources as unknown as InstrumentSources);
  const rows = new Map<string, Row>();
  for (const { name, help } of FAMILIES) {
    const labels = name === 'tollgate_calls' ? 'tenant, method, status' : 'tenant, method';
    rows.set(`${name}_total`, { kind: 'counter', labels, help });
  }
  rows.set('tollgate_tenant_call_duration_seconds', {
    kind: 'summary',
    labels: 'tenant',
    help: 'Time of calls by tenant, from the headers of the request to the end.',
  });
  for (const { name, help } of HISTOGRAMS) rows.set(name, { kind: 'histogram', labels: 'method', help });
  for (const { name, kind, labels, help } of metrics.instruments.list()) {
    rows.set(kind === 'counter' ? `${name}_total` : name, { kind, labels: labels.join(', '), help });
  }
  return rows;
}

test('docs/metrics.md names every metric, as the code has it', () => {
  const table = [...families()].map(
    ([name, { kind, labels, help }]) => `| \`${name}\` | ${kind} | ${labels || '-'} | ${help} |`,
  );
  const text = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8');
  const [, told = ''] = /<!-- names -->\n([\s\S]*?)<!-- \/names -->/.exec(text) ?? [];
  expect(told.trim().split('\n').slice(2)).toEqual(table);
});

test('every name in the dashboard and in the alert rules exists', () => {
  const known = families();
  const files = readdirSync(DEPLOY, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.(json|ya?ml)$/.test(file),
  );
  const names = files.flatMap((file) => {
    const text = readFileSync(join(DEPLOY, file), 'utf8');
    return [...text.matchAll(/\btollgate_\w+/g)].map(([name]) => name);
  });
  expect(names.length).toBeGreaterThan(30);
  const isKnown = (name: string): boolean => {
    if (known.has(name)) return !/histogram|summary/.test(known.get(name)!.kind);
    const kind = known.get(name.replace(/_(bucket|sum|count)$/, ''))?.kind;
    return kind === 'histogram' || (kind === 'summary' && !name.endsWith('_bucket'));
  };
  expect(names.filter((name) => !isKnown(name))).toEqual([]);
});

test('the dashboard is JSON with a question in each panel', () => {
  const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana/tollgate.json'), 'utf8'));
  for (const panel of dashboard.panels) for (const { expr } of panel.targets) expect(expr).toContain('tollgate_');
  const ids = dashboard.panels.map(({ id }: { id: number }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test.skipIf(!PROMTOOL)('promtool passes the alert rules', () => {
  const rules = join(DEPLOY, 'prometheus/tollgate-alerts.yaml');
  expect(execFileSync('promtool', ['check', 'rules', rules]).toString()).toContain('SUCCESS');
});
