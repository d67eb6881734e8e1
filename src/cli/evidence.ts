import type { ChangeEvidence } from '../../generated/tollgate/admin/v1/plan.ts';
import type { Io } from './io.ts';
import { formatTime } from './print.ts';
import { formatTable } from './table.ts';

/** How many rows people are shown; programs have them all. */
const MAX_ROWS = 20;

/**
 * What a change that was only checked would have meant for the calls of late; nothing where there is no evidence. As JSON it
 * is part of what was changed.
 */
export function printEvidence(io: Io, output: 'table' | 'json', evidence: ChangeEvidence | undefined): void {
  if (evidence !== undefined && output === 'table') io.stdout.write(`\n${formatEvidence(evidence)}`);
}

function formatEvidence({ startTime, calls, newlyRefused, newlyAdmitted, affected }: ChangeEvidence): string {
  if (calls === 0) return 'This gateway has seen no calls of late that it would concern.\n';
  const since = `Of ${calls} calls since ${formatTime(startTime)}, as this gateway has seen them,`;
  if (affected.length === 0) return `${since} none would have been decided otherwise.\n`;
  const rows = affected
    .slice(0, MAX_ROWS)
    .map((row) => [
      row.tenantId,
      row.method,
      String(row.calls),
      String(row.newlyRefused),
      String(row.newlyAdmitted),
      row.rule,
    ]);
  const table = formatTable(['tenant', 'method', 'calls', 'refused', 'admitted', 'by'], rows);
  const more = affected.length > MAX_ROWS ? `and ${affected.length - MAX_ROWS} more: --output json has them\n` : '';
  return `${since} ${newlyRefused} would have been refused that were not, and ${newlyAdmitted} admitted:\n${table}${more}`;
}
