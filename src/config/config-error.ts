import { type Complaint, formatComplaint } from '../contracts/complaint.ts';

/** The configuration cannot be used. `complaints` has everything that is wrong with it, in the order of the file. */
export class ConfigError extends Error {
  readonly complaints: readonly Complaint[];

  constructor(complaints: readonly Complaint[]) {
    super(complaints.map(formatComplaint).join('\n'));
    this.name = 'ConfigError';
    this.complaints = complaints;
  }
}
