// Loaded into a gateway's process by `node --import`, in tests only: answers, over the channel to its parent, what the process
// holds. It adds nothing that keeps the process alive, and no door to it.

import { describeSockets } from './open-sockets.ts';

const LEAK = /^leak (\d+)$/;

/** What a test leaks on purpose, to see that it is noticed. */
const leaked: unknown[] = [];

/** Objects of 100 octets or a little less each: what a forgotten entry of a Map is. */
function leak(octets: number): void {
  for (let left = octets; left > 0; left -= 100) leaked.push({ a: left, b: [left], c: `${left}` });
}

process.on('message', (message) => {
  const [, octets] = LEAK.exec(String(message)) ?? [];
  if (octets !== undefined) {
    leak(Number(octets));
    return;
  }
  // What the system sees, before anything is collected.
  const { rss } = process.memoryUsage();
  // Twice: buffers that the first finds are given back beside the program, and counted until the second.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  // The collection of last resort gives back to the system all that V8 keeps for comfort.
  if (message === 'squeeze') globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const squeezed = message === 'squeeze' ? process.memoryUsage().rss : undefined;
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  process.send?.({ rss, heapUsed, external, squeezed, resources, sockets: describeSockets() });
});
process.channel?.unref();
