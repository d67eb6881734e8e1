import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

/** The share of the machine's memory, or the container's, that a gateway may have when nobody says otherwise. */
const SHARE = 0.85;

export interface MemoryFacts {
  /** Octets of the process that are resident. */
  rss(): number;
  /** Octets that the container may have; 0 or undefined when there is no such limit. */
  constrained(): number | undefined;
}

/**
 * Makes the memory probe: the share in use of what may be resident, or of what the heap may have, whichever is scarcer.
 * @param limit octets that may be resident; undefined is a share of what there is
 */
export function createMemoryProbe(limit: number | undefined, facts: MemoryFacts): () => number {
  const constrained = facts.constrained() ?? 0;
  const available = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  const most = limit ?? available * SHARE;
  return () => {
    const { used_heap_size: used, heap_size_limit: heapLimit } = getHeapStatistics();
    return Math.max(facts.rss() / most, used / heapLimit);
  };
}
