import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreFolder } from '../support.ts';

const child = fileURLToPath(new URL('./kill-child.ts', import.meta.url));
let folder: StoreFolder;
beforeEach(() => {
  folder = new StoreFolder();
});
afterEach(() => folder.close());

/** Runs the child until it has printed `lines` lines, kills it hard, and gives all that it got out. */
async function runAndKill(lines: number): Promise<string[]> {
  const process_ = spawn(process.execPath, [child, folder.path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  process_.stdout.setEncoding('utf8').on('data', (data: string) => {
    output += data;
    if (output.split('\n').length > lines) process_.kill('SIGKILL');
  });
  const [, signal] = await once(process_, 'close');
  expect(signal).toBe('SIGKILL');
  return output.split('\n').slice(0, -1);
}

describe('kill -9 in the middle of traffic', () => {
  it('loses no acknowledged commit and no lease, and leaves the file free for the next', async () => {
    let leased = 0;
    let newest = 0;
    for (const lines of [100, 350]) {
      const acknowledged = await runAndKill(lines);
      const store = folder.open();
      for (const line of acknowledged) {
        const [what, first, version] = line.split(' ');
        if (what === 'lease') leased += Number(first);
        else {
          expect(await store.documents.get('plan', first!), line).toBeDefined();
          newest = Math.max(newest, Number(version));
        }
      }
      const used = await store.quotas.used({ tenantId: 'demo', metric: 'units', periodStart: 0 });
      // One lease may have been taken and not printed.
      expect(used - leased).toBeGreaterThanOrEqual(0);
      expect(used - leased).toBeLessThanOrEqual(7);
      leased = used;
      const version = await store.documents.version();
      expect(version - newest).toBeGreaterThanOrEqual(0);
      expect(version - newest).toBeLessThanOrEqual(1);
      newest = version;
      await store.close();
    }
  });
});
