/** gRPC status codes (grpc/doc/statuscodes.md). */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];
export type CodeName = keyof typeof Code;

/** How many codes there are: they are 0 to `CODES - 1`. */
export const CODES = 17;

const NAMES: readonly string[] = Object.keys(Code);
const BY_NAME: ReadonlyMap<string, Code> = new Map(Object.entries(Code));
const DIGITS: ReadonlyMap<string, Code> = new Map(Object.values(Code).map((code) => [String(code), code]));

/** The name of a code (`UNAVAILABLE`); `UNKNOWN` for a number that is none. */
export function codeName(code: number): string {
  return NAMES[code] ?? 'UNKNOWN';
}

/** The code of an upper-case name; undefined when there is none. */
export function codeOf(name: string): Code | undefined {
  return BY_NAME.get(name);
}

/**
 * Parses the value of `grpc-status`. A number outside of the table is UNKNOWN (statuscodes.md); so is text that is no number:
 * the peer did end the call, only we cannot read how.
 */
export function parseStatus(text: string): Code {
  return DIGITS.get(text) ?? Code.UNKNOWN;
}
