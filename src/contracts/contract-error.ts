import { type Complaint, formatComplaint } from './complaint.ts';

/** Why a contract cannot be used. */
export interface ContractProblem {
  /**
   * Which part of the contract's configuration is to blame: `source`, `backend`, or `policy` with the key of an override
   * (and possibly the field in it).
   */
  readonly at: readonly string[];
  /** The place in a proto file, when the fault is there. */
  readonly complaint: Complaint;
}

/** A contract cannot be used; `problems` says why, all of it. */
export class ContractError extends Error {
  readonly contract: string;
  readonly problems: readonly ContractProblem[];

  constructor(contract: string, problems: readonly ContractProblem[]) {
    super(`contract ${contract}: ${problems.map((problem) => formatComplaint(problem.complaint)).join('\n')}`);
    this.name = 'ContractError';
    this.contract = contract;
    this.problems = problems;
  }
}

/** A problem of the contract's source as a whole or of a part of its configuration, without a place of its own. */
export function problem(at: readonly string[], message: string, hint?: string): ContractProblem {
  return { at, complaint: { file: '', line: undefined, column: undefined, message, hint } };
}
