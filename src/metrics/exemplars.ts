/** The id of a trace, which is made a text only when somebody asks for it: of those kept most are not. */
export interface TraceId {
  readonly text: string;
}

/** A call that stands for others of about its duration: where to find its trace. */
export interface Exemplar {
  readonly traceId: TraceId;
  /** Milliseconds. */
  readonly ms: number;
  /** Unix milliseconds. */
  readonly at: number;
}

/** Methods that have exemplars. */
const MAX_METHODS = 256;

/** The last sampled call of each method and bound of the histogram. Only sampled calls come here. */
export class Exemplars {
  readonly #byMethod = new Map<string, (Exemplar | undefined)[]>();

  put(method: string, bound: number, exemplar: Exemplar): void {
    let all = this.#byMethod.get(method);
    if (all === undefined) {
      if (this.#byMethod.size >= MAX_METHODS) return;
      all = [];
      this.#byMethod.set(method, all);
    }
    all[bound] = exemplar;
  }

  find(method: string, bound: number): Exemplar | undefined {
    return this.#byMethod.get(method)?.[bound];
  }
}
