/** What is measured; arguments, so that tests can say what it is. */
export interface OverloadProbes {
  /** Monotonic milliseconds. */
  now(): number;
  /** The share of the memory that may be used which is used: 1 is all of it. */
  memory(): number;
}

export interface OverloadLimits {
  /** Milliseconds that a timer may be late before the event loop has too much to do. */
  readonly maxDelayMs: number;
}

/** What was seen at the last look. */
export interface OverloadCause {
  /** Milliseconds that the timer was late. */
  readonly lateMs: number;
  /** The used share of the memory that may be used. */
  readonly memoryShare: number;
}

/** As high as the pressure gets: calls of three priorities, one step each. */
export const MAX_PRESSURE = 3;
/** Milliseconds between looks at the event loop. */
const TICK_MS = 100;
/** Ticks between looks at the memory, which cost a system call. */
const MEMORY_TICKS = 10;
/** The pressure of a look that finds the loop as late as it may be, and what a look that finds it in time takes back. */
const STEP = 0.1;
/** The most that one look adds: a single stall, such as a large garbage collection, must not refuse normal calls. */
const MAX_STEP = 0.4;
/** The share of the memory from which calls are refused; at 1 all are. */
const MEMORY_FROM = 0.9;

/**
 * How hard the gateway is pressed: 0 is not at all, up to 1 refuses calls of low priority in that proportion, up to 2 normal
 * ones, too, up to 3 all. It rises while the event loop is late, the later the faster, and falls while it is not, so that it
 * settles where the loop is just in time (additive increase, as TCP's congestion control does it the other way round).
 *
 * The event loop is measured by how late one shared timer fires: `monitorEventLoopDelay` costs a timer of its own at every
 * sample, and says nothing more.
 */
export class OverloadMonitor {
  /** 0 to `MAX_PRESSURE`; a call looks at nothing else. */
  pressure = 0;
  readonly #limits: OverloadLimits;
  readonly #probes: OverloadProbes;
  readonly #onChange: (overloaded: boolean, cause: OverloadCause) => void;
  #timer: NodeJS.Timeout | undefined;
  #expectedAt: number;
  #loopPressure = 0;
  #memoryPressure = 0;
  #memoryShare = 0;
  #ticks = 0;

  /** @param onChange told when pressure comes, and what of, and when it is gone */
  constructor(
    limits: OverloadLimits,
    probes: OverloadProbes,
    onChange: (overloaded: boolean, cause: OverloadCause) => void,
  ) {
    this.#limits = limits;
    this.#probes = probes;
    this.#onChange = onChange;
    this.#expectedAt = probes.now() + TICK_MS;
  }

  /** Looks, now and from here on. Keeps no process alive. */
  start(): this {
    if (this.#timer !== undefined) return this;
    this.#timer = setInterval(() => this.tick(), TICK_MS).unref();
    this.#expectedAt = this.#probes.now();
    this.tick();
    return this;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** One look; the monitor's own timer calls it, and tests do. */
  tick(): void {
    const now = this.#probes.now();
    const late = Math.max(0, now - this.#expectedAt);
    this.#expectedAt = now + TICK_MS;
    const { maxDelayMs } = this.#limits;
    const step = late > maxDelayMs ? Math.min(MAX_STEP, (STEP * late) / maxDelayMs) : -STEP;
    this.#loopPressure = clamp(this.#loopPressure + step);
    if (this.#ticks++ % MEMORY_TICKS === 0) {
      this.#memoryShare = this.#probes.memory();
      this.#memoryPressure = clamp(((this.#memoryShare - MEMORY_FROM) / (1 - MEMORY_FROM)) * MAX_PRESSURE);
    }
    const before = this.pressure;
    this.pressure = Math.max(this.#loopPressure, this.#memoryPressure);
    if ((before === 0) === (this.pressure === 0)) return;
    this.#onChange(this.pressure > 0, { lateMs: late, memoryShare: this.#memoryShare });
  }
}

function clamp(pressure: number): number {
  // Steps of a tenth do not add up exactly: what is as good as nothing is nothing.
  return pressure < 1e-9 ? 0 : Math.min(MAX_PRESSURE, pressure);
}
