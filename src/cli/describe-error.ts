import type { ServiceError } from '@grpc/grpc-js';
import { codeName } from '../grpc/status.ts';
import { findStatusDetails, type StatusDetails } from './describe-details.ts';
import { escapeControls } from './table.ts';

/** What a failed call says, in lines for people: status and message, then each detail, then what to do next. */
export function describeServiceError(error: ServiceError): string {
  const details = findStatusDetails(error);
  const lines = [`${codeName(error.code)}: ${error.details}`];
  if (details) lines.push(...describeDetails(details, error.details));
  const advice = adviceFor(error, details);
  if (advice) lines.push(advice);
  const id = details?.info?.metadata.request_id;
  if (id) lines.push(`(request id ${id}, as in the gateway's log)`);
  return lines.flatMap((line) => line.split('\n').map(escapeControls)).join('\n');
}

/** @param message in which the only thing that is wrong is told already */
function describeDetails({ fields, preconditions, quotas }: StatusDetails, message: string): string[] {
  const isFieldTold = fields.length === 1 && message.includes(fields[0]!.description);
  const [first] = preconditions;
  const subject = first?.subject.split('/').at(-1) ?? '';
  const isSubjectTold = preconditions.length === 1 && message.includes(`"${subject}"`);
  return [
    ...(isFieldTold ? [] : fields.map(({ field, description }) => `  ${field}: ${description}`)),
    ...(isSubjectTold ? [] : preconditions.map(({ subject, description }) => `  ${subject}: ${description}`)),
    ...quotas.map(({ subject, description }) => `  ${subject}: ${description}`),
  ];
}

function adviceFor(error: ServiceError, details: StatusDetails | undefined): string | undefined {
  const { reason, metadata } = details?.info ?? { reason: '', metadata: {} };
  if (metadata.etag) return `It was changed in between. Look at it again, then repeat with --etag '${metadata.etag}'.`;
  if (details?.retryAfterMs !== undefined) return `Try again in ${Math.ceil(details.retryAfterMs / 1000)} s.`;
  switch (codeName(error.code)) {
    case 'UNAUTHENTICATED':
      return 'The admin key was not accepted: is TOLLGATE_ADMIN_KEY (or --key...) the whole key, and of this gateway?';
    case 'PERMISSION_DENIED':
      return reason === 'SCOPE_MISSING'
        ? 'The key is valid, but its role may not do this: tollgate.viewer looks, tollgate.operator changes, tollgate.owner does everything (docs/admin.md).'
        : undefined;
    case 'UNIMPLEMENTED':
      return reason === 'METHOD_UNKNOWN'
        ? 'Is this the admin listener? --address must name the one that shows the contract "tollgate" (default 127.0.0.1:7401).'
        : 'Whoever answers there does not know this: is it a gateway older than this tollgate, or another program?';
    default:
      return undefined;
  }
}
