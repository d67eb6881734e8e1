import { type Call, type Finding, noteWait, type Outcome, type Refusal, type Stage, type Verdict } from './call.ts';

/** A call on its way through the chain: how many stages have admitted it. */
export interface ChainedCall extends Call {
  admittedStages: number;
  /** How it ended; a stage may still be at work on it then. */
  endedWith?: Outcome | undefined;
}

export interface StageFindings {
  readonly stage: string;
  readonly findings: readonly Finding[];
}

/** Runs the stages in order; the first refusal ends it. Synchronous for as long as every stage answers synchronously. */
export class MiddlewareChain {
  readonly #stages: readonly Stage[];
  /** The stages' methods, bound: by their names they would be looked up at each call, since each stage has a shape of its own. */
  readonly #admits: readonly ((call: Call) => Verdict)[];
  readonly #settles: readonly (((call: Call, outcome: Outcome) => void) | undefined)[];
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(stages: readonly Stage[], now: () => number = () => performance.now()) {
    this.#stages = stages;
    this.#admits = stages.map((stage) => stage.admit.bind(stage));
    this.#settles = stages.map((stage) => stage.settle?.bind(stage));
    this.#now = now;
  }

  /** @returns undefined when every stage admits the call; a promise of the same from the first stage that has to wait. */
  admit(call: ChainedCall): Refusal | undefined | Promise<Refusal | undefined> {
    const admits = this.#admits;
    for (let i = call.admittedStages; i < admits.length; i++) {
      const verdict = admits[i]!(call);
      if (verdict === undefined) {
        call.admittedStages = i + 1;
        continue;
      }
      if (verdict instanceof Promise) return this.#wait(call, i, verdict);
      return verdict;
    }
    return undefined;
  }

  /**
   * What every stage would answer, in order; spends nothing. Behind a stage that leaves it open who calls nothing can be said.
   */
  async explain(call: Call): Promise<readonly StageFindings[]> {
    const all: StageFindings[] = [];
    for (const stage of this.#stages) {
      if (stage.explain === undefined) continue;
      const findings = await stage.explain(call);
      all.push({ stage: stage.name, findings });
      const isRefused = findings.some(({ refusal }) => refusal !== undefined);
      if (isRefused && call.principal === undefined) break;
    }
    return all;
  }

  /**
   * Tells the stages that admitted the call how it ended, the last first. One that has not answered yet is told when it has; those
   * behind it are not asked any more.
   */
  settle(call: ChainedCall, outcome: Outcome): void {
    call.endedWith = outcome;
    for (let i = call.admittedStages - 1; i >= 0; i--) this.#settles[i]?.(call, outcome);
    call.admittedStages = 0;
  }

  async #wait(call: ChainedCall, index: number, verdict: Promise<Refusal | undefined>): Promise<Refusal | undefined> {
    for (let i = index + 1; i < this.#stages.length; i++) this.#stages[i]!.prepare?.(call);
    const startedAt = this.#now();
    const refusal = await verdict;
    const { name } = this.#stages[index]!;
    // It asked before it gave its promise.
    const asked = call.waits?.filter(({ within }) => within === name).map((wait) => wait.startedAt) ?? [];
    noteWait(call, { name, startedAt: Math.min(startedAt, ...asked), endedAt: this.#now() });
    if (refusal !== undefined) return refusal;
    if (call.endedWith !== undefined) {
      this.#settles[index]?.(call, call.endedWith);
      return undefined;
    }
    call.admittedStages = index + 1;
    return this.admit(call);
  }
}
