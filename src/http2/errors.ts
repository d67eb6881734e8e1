import type { ErrorCode } from './error-code.ts';
import type { FloodKind } from './flood.ts';

/** A connection error (RFC 9113 section 5.4.1): the peer broke the protocol, or a limit. Ends the connection with GOAWAY. */
export class ConnectionError extends Error {
  readonly code: ErrorCode;
  /** Which limit it was, where it was one. */
  readonly flood: FloodKind | undefined;

  constructor(code: ErrorCode, message: string, flood?: FloodKind) {
    super(message);
    this.name = 'ConnectionError';
    this.code = code;
    this.flood = flood;
  }
}
