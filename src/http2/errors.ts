import type { ErrorCode } from './error-code.ts';

/** A connection error (RFC 9113 section 5.4.1): the peer broke the protocol, or a limit. Ends the connection with GOAWAY. */
export class ConnectionError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'ConnectionError';
    this.code = code;
  }
}
