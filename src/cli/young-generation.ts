import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Octets of V8's young generation, both halves, from which on it grows no more: as large as Node 20 has it at most. */
const ENOUGH = 32 * 1024 * 1024;
/** The operator's own word: how large it may be, and who collects it. */
const MAX_SIZE = /--max[-_]semi[-_]space[-_]size/;
const COLLECTORS = /parallel[-_]scavenge|--single[-_]threaded/;

/**
 * Keeps V8's young generation from growing to 128 MiB, as it does in Node 24 under any load, of which a gateway has no
 * use: nearly all that a call allocates is dead when the call is. The flag that says so must be given before Node starts; the
 * factor by which V8 has it grow is asked for at each growth, so that one can be set when it is large enough.
 *
 * And has the thread that runs calls collect it alone. There is next to nothing to do, and threads that are woken to help take
 * the processor from that very thread.
 */
export class YoungGeneration {
  readonly #isOurs: boolean;
  readonly #isAlone: boolean;
  #factor = 2;
  readonly #observer = new PerformanceObserver(() => this.#grow(youngOctets() < ENOUGH ? 2 : 1));

  /** Until `letGrow` it stays as it is: what a start allocates lives on. @param flags of Node: what they say holds */
  constructor(flags: readonly string[]) {
    this.#isOurs = !flags.some((each) => MAX_SIZE.test(each));
    this.#isAlone = !flags.some((each) => COLLECTORS.test(each));
    this.#grow(1);
    if (this.#isAlone) setFlagsFromString('--no-parallel-scavenge');
  }

  /** From here on it grows as it is used, up to 32 MiB. */
  letGrow(): void {
    this.#grow(youngOctets() < ENOUGH ? 2 : 1);
    if (this.#isOurs) this.#observer.observe({ entryTypes: ['gc'] });
  }

  /** It is V8's own again. */
  release(): void {
    this.#observer.disconnect();
    this.#grow(2);
    if (this.#isAlone) setFlagsFromString('--parallel-scavenge');
  }

  #grow(factor: number): void {
    if (!this.#isOurs || factor === this.#factor) return;
    this.#factor = factor;
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  }
}

function youngOctets(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0;
}
