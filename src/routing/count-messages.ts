import type { Outcome } from '../chain/call.ts';
import type { EndedCall } from './exchange-parts.ts';

/** A subscriber of the end of calls: notes at the connections how many messages the call has brought them. */
export function countMessages({ connection, attempts }: EndedCall, { traffic }: Outcome): void {
  if (traffic === undefined) return;
  const { requestMessages, responseMessages } = traffic;
  if (connection !== undefined) {
    connection.messagesReceived += requestMessages;
    connection.messagesSent += responseMessages;
  }
  const carrier = attempts?.connection;
  if (carrier === undefined) return;
  carrier.messagesSent += requestMessages;
  carrier.messagesReceived += responseMessages;
}
