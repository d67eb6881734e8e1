import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/telemetry/logger.ts';
import { CertificateRenewal } from '../../src/tls/certificate-renewal.ts';
import { FileWatch, fingerprintOf } from '../../src/tls/watch-files.ts';

/** Files that exist in a table only. */
function watchOf(files: Map<string, string>) {
  let changes = 0;
  let looks = 0;
  const watch = new FileWatch({
    paths: ['a', 'b'],
    intervalMs: 3_600_000,
    fingerprint: async (path) => {
      looks++;
      return files.get(path) ?? '';
    },
    onChange: () => {
      changes++;
    },
  });
  return { watch, changes: () => changes, looks: () => looks };
}

describe('a watch of files', () => {
  it('tells every change once, that a file is gone included', async () => {
    const files = new Map([
      ['a', '1'],
      ['b', '1'],
    ]);
    const { watch, changes } = watchOf(files);
    await watch.look();
    await watch.look();
    expect(changes()).toBe(0);
    files.set('b', '2');
    await watch.look();
    await watch.look();
    expect(changes()).toBe(1);
    files.delete('a');
    await watch.look();
    expect(changes()).toBe(2);
    files.set('a', '1');
    await watch.look();
    expect(changes()).toBe(3);
    watch.close();
  });

  it('never looks twice at once', async () => {
    const { watch, looks } = watchOf(new Map());
    await Promise.all([watch.look(), watch.look(), watch.look()]);
    expect(looks()).toBe(2);
    watch.close();
  });
});

it('a file is told by what it is, also behind a link that is set anew', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-watch-'));
  try {
    const path = (name: string) => join(folder, name);
    expect(await fingerprintOf(path('absent'))).toBe('');
    await writeFile(path('one'), 'same');
    await writeFile(path('two'), 'same');
    await symlink(path('one'), path('link'));
    const before = await fingerprintOf(path('link'));
    expect(await fingerprintOf(path('link'))).toBe(before);
    // As Kubernetes does it: a new link is renamed over the old one.
    await symlink(path('two'), path('next'));
    await rename(path('next'), path('link'));
    expect(await fingerprintOf(path('link'))).not.toBe(before);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe('the renewal of certificates', () => {
  it('goes on with the others when one cannot be reloaded, and says which', () => {
    const lines: string[] = [];
    const reloaded: string[] = [];
    const renewable = (name: string, reload: () => void) => ({ name, paths: [], validTo: () => Infinity, reload });
    const renewal = new CertificateRenewal(
      [
        renewable('listener a', () => {
          throw new Error('a.crt: nonsense');
        }),
        renewable('backend b', () => void reloaded.push('b')),
      ],
      { log: createLogger('info', { write: (line) => void lines.push(line) }), fingerprint: async () => '' },
    );
    expect(renewal.reloadAll()).toBe(1);
    renewal.close();
    expect(reloaded).toEqual(['b']);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'error', certificates: 'listener a', why: 'a.crt: nonsense' },
      { level: 'info', certificates: 'backend b' },
    ]);
  });
});
