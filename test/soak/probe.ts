// Loaded into a gateway's process by `node --import`, in tests only: answers, over the channel to its parent, what the process
// holds. It adds nothing that keeps the process alive, and no door to it.

process.on('message', () => {
  globalThis.gc?.();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send?.({ rss, heapUsed, external, resources });
});
process.channel?.unref();
