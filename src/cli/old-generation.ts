import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** Percent of what lives that there may be as garbage beside it before V8 collects all. */
const GROWTH = 200;
/** The operator's own word. */
const ANY_GROWTH = /--heap[-_]growing[-_]percent/;
const LOOK_MS = 5_000;
/** Share of an interval that the event loop is at work from which on the process is not idle. */
const BUSY = 0.1;
/** A heap that is so much larger than it was after the last collections is worth others: V8's own rule for such. */
const LARGER = { times: 1.1, octets: 10 * 1024 * 1024 };
/** When it collects, in looks: what is let go when a process has been idle for a while (connections are dormant after 7 s) is for the second. Then all is given back. */
const COLLECT_AT = [0, 2];
const DONE_AT = 4;
/** Octets outside the heap from which on V8 begins a collection. */
const ENOUGH_TO_COLLECT = 72 * 1024 * 1024;

/**
 * When V8 collects the old generation, which is all of the heap. Its own rules are for programs that somebody looks at, and do harm
 * to one that serves few connections, or very many:
 *
 * - Where little of what is allocated lives on, it collects whenever the heap has grown by a tenth: 150 ms of CPU for what 150
 *   connections leave. Here it may treble.
 * - It gives memory back some time after a collection when little is allocated. But who is idle allocates nothing, so there is no
 *   collection. Here one is begun, which takes small steps, when an idle process has a larger heap than it need have.
 */
export class OldGeneration {
  readonly #isOurs: boolean;
  readonly #timer: NodeJS.Timeout;
  #before = performance.eventLoopUtilization();
  /** Looks since the first collection; undefined while none is due. */
  #step: number | undefined = undefined;
  /** Octets of the heap after the last collections. */
  #smallest = 0;

  /**
   * @param flags of Node: if they say how it is to grow, that holds
   * @param lookMs how often it looks whether the process is idle, in milliseconds
   */
  constructor(flags: readonly string[], lookMs = LOOK_MS) {
    this.#isOurs = !flags.some((each) => ANY_GROWTH.test(each));
    if (this.#isOurs) setFlagsFromString(`--heap-growing-percent=${GROWTH}`);
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  /** It is V8's own again. */
  release(): void {
    clearInterval(this.#timer);
    if (this.#isOurs) setFlagsFromString('--heap-growing-percent=0');
  }

  #look(): void {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#before);
    this.#before = now;
    if (utilization >= BUSY) return;
    const octets = getHeapStatistics().total_heap_size;
    if (this.#step === undefined && octets > this.#smallest * LARGER.times + LARGER.octets) this.#step = 0;
    if (this.#step === undefined) return;
    if (COLLECT_AT.includes(this.#step)) beginCollection();
    if (this.#step++ < DONE_AT) return;
    this.#smallest = octets;
    this.#step = undefined;
  }
}

/** Has V8 begin a collection of the kind that gives back pages for which there is no use. */
function beginCollection(): void {
  setFlagsFromString('--optimize-for-size');
  // Nobody writes to it, so it takes no memory.
  void new ArrayBuffer(ENOUGH_TO_COLLECT);
  setFlagsFromString('--no-optimize-for-size');
}
