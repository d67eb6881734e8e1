const NANOSECOND = 1e-6;
const MAX_DIGITS = 8;
const MAX_VALUE = 99_999_999;

/** Milliseconds of a unit of `grpc-timeout`, by its character code; 0 for a character that is none. */
function unitMs(code: number): number {
  switch (code) {
    case 0x48: // H
      return 3_600_000;
    case 0x4d: // M
      return 60_000;
    case 0x53: // S
      return 1000;
    case 0x6d: // m
      return 1;
    case 0x75: // u
      return 1e-3;
    case 0x6e: // n
      return NANOSECOND;
    default:
      return 0;
  }
}

/**
 * Parses the value of `grpc-timeout` (gRPC over HTTP/2: 1 to 8 digits and a unit of H, M, S, m, u, n).
 * The specification asks for a positive integer; 0 is read as a deadline that has passed, as other implementations do.
 * @returns milliseconds, with a fraction, up to 3.6e14 (more than a timer takes); undefined when malformed.
 */
export function parseTimeout(text: string): number | undefined {
  const digits = text.length - 1;
  if (digits < 1 || digits > MAX_DIGITS) return undefined;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  const unit = unitMs(text.charCodeAt(digits));
  return unit === 0 ? undefined : value * unit;
}

/**
 * Formats a time to go as `grpc-timeout`. Rounded down, so the next hop's deadline is never later than ours; to microseconds
 * below a second, to milliseconds below a day. What is below a nanosecond, or has passed, is `1n`: a value must be positive.
 * @param ms milliseconds to go
 */
export function formatTimeout(ms: number): string {
  if (!(ms >= NANOSECOND)) return '1n';
  if (ms < 1e-3) return `${atLeastOne(ms / NANOSECOND)}n`;
  if (ms < 1000) return `${atLeastOne(ms * 1000)}u`;
  if (ms <= MAX_VALUE) return `${Math.floor(ms)}m`;
  if (ms <= MAX_VALUE * 1000) return `${Math.floor(ms / 1000)}S`;
  if (ms <= MAX_VALUE * 60_000) return `${Math.floor(ms / 60_000)}M`;
  return `${Math.min(Math.floor(ms / 3_600_000), MAX_VALUE)}H`;
}

/** The division by a unit that is no binary fraction may give 0.99...: what is at least one unit must not become 0. */
function atLeastOne(units: number): number {
  return Math.max(1, Math.floor(units));
}
