import type { Command } from 'commander';

/** Ends the command when an update changes nothing: an option was forgotten, and an empty mask would mean "all fields". */
export function requireChange(command: Command, updateMask: readonly string[]): void {
  if (updateMask.length === 0) command.error('error: nothing to change: give at least one of the options (see --help)');
}
