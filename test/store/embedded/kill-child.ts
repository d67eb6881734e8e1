// The child of kill.test.ts: commits and leases as fast as it can, and prints each acknowledgement.
import { writeSync } from 'node:fs';
import { openEmbeddedStore } from '../../../src/store/embedded/open.ts';

const path = process.argv[2];
if (path === undefined) throw new Error('usage: kill-child.ts PATH');
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const store = openEmbeddedStore({ path, clock });
const quota = { tenantId: 'demo', metric: 'units', periodStart: 0, periodEnd: 9e15, limit: 1e12, want: 7, least: 1 };
for (let i = 0; ; i++) {
  const id = `plan-${i}`;
  const { version } = await store.documents.commit([{ op: 'put', kind: 'plan', id, body: new Uint8Array([i & 255]) }]);
  writeSync(1, `commit ${id} ${version}\n`);
  for (let n = 0; n < 5; n++) writeSync(1, `lease ${await store.quotas.lease(quota)}\n`);
}
