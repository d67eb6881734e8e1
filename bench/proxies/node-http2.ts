import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender } from './proxy.ts';

export const nodeHttp2: Contender = {
  name: 'node:http2',
  does: 'pass-through with a map of keys, token bucket, quota counter, UUID and header rewrite',
  install: 'Node.js',
  authenticates: true,
  version: () => process.versions.node,
  start(setup) {
    const tenants = join(setup.folder, 'tenants.json');
    writeFileSync(tenants, JSON.stringify(setup.tenants));
    const program = join(import.meta.dirname, 'node-http2-pass.ts');
    const args = [program, String(setup.port), String(setup.backendPort), tenants];
    return setup.children.start('node-http2', process.execPath, args);
  },
};
