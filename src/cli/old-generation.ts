import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** Percent of what lives that there may be as garbage beside it before V8 collects all. */
const GROWTH = 100;
/** The operator's own words. */
const ANY_GROWTH = /--heap[-_]growing[-_]percent/;
const REDUCER = /--(no[-_]?)?memory[-_]reducer/;
const FOR_SIZE = /--(optimize[-_]for[-_]size|lite[-_]mode)/;
/** Collections that V8's own "memory reducer" may begin: none, and as V8 has it. V8 11 (Node 20) cannot be told. */
const REDUCER_COLLECTIONS = { none: 0, default: 2 };
const REDUCER_CAN_BE_TOLD = Number.parseInt(process.versions.v8, 10) >= 12;
const LOOK_MS = 5_000;
/** Share of an interval that the event loop is at work from which on the process is not idle. */
const BUSY = 0.02;
/** From which on there is more to do than collections: what they give back would be taken at once. */
const LOADED = 0.5;
/** Looks in a row at an idle process before anything is done: after a collection V8 has code to make anew, and memory to get. */
const PATIENCE = 9;
/**
 * A heap that is so much larger than it was after the last collections is worth others. The pages that V8 keeps beside it, for what
 * may come, are not told: they may be 32 MiB more.
 */
const LARGER = { times: 1.1, octets: 4 * 1024 * 1024 };
/** Looks from the first collection to the second, which finds what the first has made garbage, and to when all is given back. */
const SECOND_AT = 2;
const DONE_AT = 4;
/** Octets outside the heap from which on V8 begins a collection. */
const ENOUGH_TO_COLLECT = 72 * 1024 * 1024;

/**
 * When V8 collects the old generation, which is all of the heap. Its own rules are for programs that somebody looks at, and do harm
 * to one that serves few connections, or very many:
 *
 * - Where little of what is allocated lives on, it collects whenever the heap has grown by a tenth: 150 ms of CPU for what 150
 *   connections leave. Here it may double.
 * - It gives memory back some time after a collection when little is allocated. But who is idle allocates nothing, so there is no
 *   collection. Here one is begun, which takes small steps, when a process has been idle for 45 s and its heap is larger than it need be.
 * - Under a light load it does so each 100 s, and takes the young generation with it: that is collected five times a second then, where
 *   once in four seconds was enough, and calls wait for it. So V8's own begin no more.
 */
export class OldGeneration {
  readonly #isOurs: boolean;
  /** Its collections give pages back in any case. */
  readonly #isForSize: boolean;
  readonly #reducerIsOurs: boolean;
  readonly #timer: NodeJS.Timeout;
  #before = performance.eventLoopUtilization();
  /** Looks in a row at an idle process. */
  #idle = 0;
  /** Looks since the first collection; undefined while there is none to do. */
  #step: number | undefined = undefined;
  /** Octets of the heap after the last collections. */
  #smallest = 0;

  /**
   * @param flags of Node: if they say how it is to grow, that holds
   * @param lookMs how often it looks whether the process is idle, in milliseconds
   */
  constructor(flags: readonly string[], lookMs = LOOK_MS) {
    this.#isOurs = !flags.some((each) => ANY_GROWTH.test(each));
    this.#isForSize = flags.some((each) => FOR_SIZE.test(each));
    this.#reducerIsOurs = REDUCER_CAN_BE_TOLD && !flags.some((each) => REDUCER.test(each));
    if (this.#isOurs) setFlagsFromString(`--heap-growing-percent=${GROWTH}`);
    this.#letReducerBegin(REDUCER_COLLECTIONS.none);
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  /** It is V8's own again. */
  release(): void {
    clearInterval(this.#timer);
    if (this.#isOurs) setFlagsFromString('--heap-growing-percent=0');
    this.#letReducerBegin(REDUCER_COLLECTIONS.default);
  }

  #letReducerBegin(collections: number): void {
    if (this.#reducerIsOurs) setFlagsFromString(`--memory-reducer-gc-count=${collections}`);
  }

  #look(): void {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#before);
    this.#before = now;
    this.#idle = utilization < BUSY ? this.#idle + 1 : 0;
    if (utilization >= LOADED) this.#step = undefined;
    const octets = getHeapStatistics().total_heap_size;
    if (this.#step === undefined) {
      if (this.#idle < PATIENCE || octets <= this.#smallest * LARGER.times + LARGER.octets) return;
      this.#step = 0;
    }
    if (this.#step === 0 || this.#step === SECOND_AT) this.#beginCollection();
    if (this.#step++ < DONE_AT) return;
    this.#smallest = octets;
    this.#step = undefined;
    this.#idle = 0;
  }

  /** Has V8 begin a collection of the kind that gives back pages for which there is no use. */
  #beginCollection(): void {
    if (!this.#isForSize) setFlagsFromString('--optimize-for-size');
    try {
      // Nobody writes to it, so it takes no memory.
      void new ArrayBuffer(ENOUGH_TO_COLLECT);
    } catch {
      // Not even addresses are left (`ulimit -v`): V8 collects by itself then.
    } finally {
      if (!this.#isForSize) setFlagsFromString('--no-optimize-for-size');
    }
  }
}
